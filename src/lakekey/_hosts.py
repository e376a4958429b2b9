"""Hosts: which addresses are Databricks', and how one is written."""

from __future__ import annotations

from lakekey._imports import LOADING
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The DNS zones of the platform, each with its cloud.
ZONES = {
    ".cloud.databricks.com": "AWS",
    ".cloud.databricks.us": "AWS",
    ".azuredatabricks.net": "Azure",
    ".databricks.azure.us": "Azure",
    ".databricks.azure.cn": "Azure",
    ".gcp.databricks.com": "GCP",
}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def in_address(name: str) -> str:
    """A host's name as it stands in an address: an IPv6 one in brackets (RFC 3986 §3.2.2)."""
    return f"[{name}]" if ":" in name else name


def normalize_host(host: Any, profile: str | None = None, source: str = "") -> str:
    """A host in the form in which it is compared and stored: ``https://name[:port]``.

    As the SDK has it, a missing scheme is added and a trailing slash and port 443 are removed. Path and query go too,
    so that an address copied from the browser serves; the name is put in lower case (RFC 3986 §6.2.2.1).

    Raises:
        ConfigurationError: It is not an address that credentials may be sent to.
    """
    text = host.strip() if isinstance(host, str) else ""
    if (plain := _plainly_written(text)) is not None:
        return plain
    with LOADING:
        from urllib.parse import urlsplit

    said = f"host ({source})" if source else "host"
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        name, port = parts.hostname or "", parts.port
    except ValueError:  # a bracket that is not closed, a port that is not a number
        raise _no_address(said, "is not an address", profile) from None
    if parts.username or parts.password:
        raise _no_address(said, "holds a user name or password", profile)  # not quoted: it may hold a password
    if not name or not text.isprintable() or port == 0:
        raise _no_address(said, "is not an address", profile)
    if not name.isascii():
        # A name in another script can look just like the real one.
        raise _no_address(said, f"has the name {name!a}, which is not ASCII", profile)
    if ":" not in name and not _is_name(name):
        raise _no_address(said, "is not an address", profile)
    if parts.scheme != "https" and not (parts.scheme == "http" and name in LOOPBACK):
        raise _no_address(said, f"is {parts.scheme}://{name}, which would send credentials in clear", profile)
    if not all(is_workspace_id(value) for value in _workspaces(text)):
        # Dropped, it would be another workspace than the one that was meant.
        raise _no_address(said, "names a workspace by ?o= or ?w= whose id it cannot be", profile)
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, 443) else "")


def _plainly_written(text: str) -> str | None:
    """The form of a host that is written as most are; others need `urllib.parse`, a tenth of a cold start."""
    name, _, port = text.removeprefix("https://").removesuffix("/").partition(":")
    letters = name.replace("-", "").replace(".", "")
    if not (letters.isascii() and letters.isalnum() and name == name.lower() and _is_name(name)):
        return None
    if port in ("", "443"):
        return f"https://{name}"
    is_port = port.isascii() and port.isdigit() and port[0] != "0" and len(port) < 6 and int(port) < 65536
    return f"https://{name}:{port}" if is_port else None


def _is_name(name: str) -> bool:
    """Whether a name can be meant, and looked up (RFC 1035 §2.3.4, whose errors the libraries raise, and we do not).

    ``https`` and ``http`` are slips: of ``https//name``, ``https:/name`` or ``https://https://name``. Resolvers
    complete such a name by their search domains, so it could be another machine's, which would receive the credentials.
    ``none`` and ``null`` alone are what a template without a value leaves.
    """
    labels = name.removesuffix(".").split(".")
    letters = name.replace("-", "").replace(".", "").replace("_", "")
    if labels[0] in ("http", "https") or labels in (["none"], ["null"]):
        return False
    return letters.isalnum() and all(0 < len(label) < 64 for label in labels)


def _no_address(said: str, what: str, profile: str | None) -> ConfigurationError:
    hint = "write it as https://dbc-1234.cloud.databricks.com"
    return ConfigurationError(f"{said} {what}", hint=hint, profile=profile)


def workspace_of(host: str) -> str | None:
    """The workspace that an address copied from the browser names: its parameter ``o``, or ``w``."""
    return next((value for value in _workspaces(host) if is_workspace_id(value) and value.lower() != "none"), None)


def names_no_workspace(host: str) -> bool:
    """Whether such an address says ``none``, as ``workspace_id = none`` does: it is meant for the account itself."""
    return workspace_of(host) is None and any(value.lower() == "none" for value in _workspaces(host))


def is_workspace_id(text: str) -> bool:
    """Whether a text can be a workspace's id: it is put into paths and headers as it is.

    Most are numbers. The SDK takes other ids too, and leaves their form to the platform.
    """
    return text.isascii() and text[:1].isalnum() and text.replace("-", "").replace("_", "").isalnum()


def _workspaces(host: str) -> list[str]:
    parameters = _parameters(host)
    found = [value.strip() for name in ("o", "w") for value in parameters.get(name, ())]
    return [value for value in found if value]  # blank is unset


def account_of(host: str) -> str | None:
    """The account that an account console's address, as copied from the browser, names: its parameter ``account_id``.

    In a workspace's address it does not count: a workspace needs none, and its session would be another one with it.
    """
    named = _parameters(host).get("account_id", ())
    found = next((value for value in named if value.isascii() and value.replace("-", "").isalnum()), None)
    if found is None:
        return None
    try:
        return found if is_account_console(normalize_host(host)) else None
    except ConfigurationError:  # which the caller raises for the host itself
        return None


def _parameters(host: str) -> dict[str, list[str]]:
    if "?" not in host:
        return {}
    with LOADING:
        from urllib.parse import parse_qs, urlsplit

    try:
        return parse_qs(urlsplit(host).query, max_num_fields=1000)
    except ValueError:  # `normalize_host` says what is wrong with it
        return {}


def routed_path(http_path: str, workspace_id: str | None) -> str:
    """A path for SQL that says which workspace it is in: a host that serves several goes by ``?o=``.

    Args:
        http_path: The path of a warehouse or a cluster.
        workspace_id: The workspace, where it is known.
    """
    path, _, query = http_path.partition("?")
    named = path.startswith(("/sql/protocolv1/o/", "sql/protocolv1/o/"))
    if not workspace_id or named or any(part.startswith("o=") for part in query.split("&")):
        return http_path
    return f"{path}?{query}&o={workspace_id}" if query else f"{path}?o={workspace_id}"


def routing_headers(workspace_id: str | None) -> dict[str, str]:
    """What tells a host that serves several workspaces which one a request is for.

    databricks-sql-connector sends the first of them, databricks-sdk the second.
    """
    return {name: workspace_id for name in ("X-Databricks-Org-Id", "X-Databricks-Workspace-Id") if workspace_id}


def is_account_console(host: str) -> bool:
    """Whether a host serves an account, not a workspace: ``accounts.…``, or ``accounts-….…`` of a private cloud."""
    return host.partition("://")[2].startswith(("accounts.", "accounts-"))


def cloud_of(host: str) -> str | None:
    """The cloud of a host by its DNS zone; ``None`` for a host in none of the platform's zones."""
    with LOADING:
        from urllib.parse import urlsplit

    name = urlsplit(host).hostname or ""
    return next((cloud for zone, cloud in ZONES.items() if name.endswith(zone)), None)
