"""Finding a host's authorization server (RFC 8414), and refusing one that points elsewhere."""

import contextlib
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lakekey import _log
from lakekey._hosts import is_account_console
from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.oauth.transport import Transport, require_secure


class Metadata(NamedTuple):
    """An authorization server's endpoints (RFC 8414 §2), and what its host says besides.

    Attributes:
        issuer: Its issuer identifier.
        authorization_endpoint: Where a person signs in.
        token_endpoint: Where grants are exchanged.
        revocation_endpoint: Where tokens are revoked (RFC 7009), or ``None``.
        userinfo_endpoint: Where the identity is told, or ``None``.
        device_authorization_endpoint: Where a device asks for a code (RFC 8628 §4), or ``None``.
        account_id: The account that the host says it belongs to, or ``None``.
        iss_in_response: Whether authorization answers name the issuer (RFC 9207 §3).
        audience: The audience that identity tokens for it should have, where its host says so.
        workspace_id: The workspace that the host says it serves, or ``None``.
        challenge_methods: The code challenge methods that it announces (RFC 7636 §6.2), or ``None``: it does not say.
        guessed: Whether the host did not say where its authorization server is, for a reason that may pass.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    account_id: str | None = None
    iss_in_response: bool = False
    audience: str | None = None
    guessed: bool = False
    workspace_id: str | None = None
    challenge_methods: tuple[str, ...] | None = None


class _Host(NamedTuple):
    """What a host says about itself."""

    issuer: str
    audience: str | None = None
    account_id: str | None = None
    guessed: bool = False
    workspace_id: str | None = None


_ADDRESSES = tuple(name for name in Metadata._fields if name == "issuer" or name.endswith("_endpoint"))


def discover(
    transport: Transport, host: str, *, account_id: str | None = None, discovery_url: str | None = None
) -> Metadata:
    """Find the authorization server of a workspace or account host.

    Args:
        transport: HTTP.
        host: ``https://…``, without a path.
        account_id: The account, for an account console or a host that serves several.
        discovery_url: The metadata document itself, where the configuration names it.

    Returns:
        Its metadata.

    Raises:
        ConfigurationError: The host serves several accounts, and none is configured.
        TokenEndpointError: No document that holds is to be had.
    """
    if discovery_url:
        require_secure(discovery_url)
        return _fetch(transport, discovery_url, _Host(urlsplit(discovery_url)._replace(path="", query="").geturl()))
    said = _ask(transport, host, account_id)
    return _fetch(transport, f"{said.issuer}/.well-known/oauth-authorization-server", said)


def default_issuer(host: str, account_id: str | None) -> str:
    """The issuer that a host has unless its own configuration says otherwise."""
    return f"{host}/oidc/accounts/{account_id}" if account_id and is_account_console(host) else f"{host}/oidc"


def _ask(transport: Transport, host: str, account_id: str | None) -> _Host:
    """Where a host says that its authorization server is.

    Best effort: older hosts lack the document, and an account console answers 200 with a web page.
    """
    fallback = default_issuer(host, account_id)
    try:
        answer = transport.get(f"{host}/.well-known/databricks-config")
    except TokenEndpointError:
        # Unreachable is unreachable: the next request says so in its own words.
        return _Host(fallback, account_id=account_id, guessed=True)
    fields = _document(answer)
    if fields is None:
        return _Host(fallback, account_id=account_id, guessed=answer.status >= 500 or answer.status in (408, 429))
    account = account_id or _text(fields, "account_id")
    audience = _audience(fields, account)
    endpoint = (_text(fields, "oidc_endpoint") or "").replace("{account_id}", account or "{account_id}").rstrip("/")
    if not _is_address(endpoint):
        return _Host(fallback, audience, account, workspace_id=_workspace(fields))
    if "{account_id}" in endpoint:
        raise ConfigurationError(
            f"{host} serves several accounts, and account_id is missing",
            hint="set account_id in the profile, or DATABRICKS_ACCOUNT_ID",
        )
    if urlsplit(endpoint).netloc != urlsplit(host).netloc:
        _log.debug("oauth", "%s names the authorization server %s", host, endpoint)
    return _Host(endpoint, audience, account, workspace_id=_workspace(fields))


def _workspace(fields: dict[str, Any]) -> str | None:
    """The workspace, which goes into paths: so nothing but letters and digits, as all are that there have been."""
    named = fields.get("workspace_id")
    text = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else ""
    return text if text.isascii() and text.isalnum() and text.lower() != "none" else None


def _audience(fields: dict[str, Any], account: str | None) -> str | None:
    """The audience of identity tokens, by the SDK's rule: the first that the host names, else an account's own id."""
    named = fields.get("token_federation_default_oidc_audiences")
    if isinstance(named, list) and named and isinstance(named[0], str) and named[0].isprintable():
        return named[0]
    return None if fields.get("workspace_id") else account


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    # Shown on a terminal and in a page, and sent on: so nothing that a terminal acts on, or that cannot be encoded.
    return value if isinstance(value, str) and value and value.isprintable() else None


def _is_address(text: str) -> bool:
    """Whether this is an address that can be called, opened, and printed on a terminal.

    RFC 3986 §2: it has visible ASCII characters only; RFC 6749 §3.1 and §3.2: an endpoint has no fragment.
    """
    with contextlib.suppress(ValueError):  # a bracket that is not closed
        parts = urlsplit(text)
        visible = text.isascii() and text.isprintable() and " " not in text
        return visible and parts.scheme in ("https", "http") and bool(parts.hostname) and "#" not in text
    return False


def _document(answer: Answer) -> dict[str, Any] | None:
    return answer.json_object() if answer.status == 200 else None


def _fetch(transport: Transport, url: str, said: _Host) -> Metadata:
    answer = transport.get(url)
    fields = _document(answer)
    if fields is None:
        raise TokenEndpointError(
            f"no authorization server metadata at {url} ({answer.describe()})",
            status=answer.status,
            retry_after=answer.retry_after,
            hint="check that the host is a Databricks workspace or account",
        )
    found = {name: fields[name] for name in _ADDRESSES if isinstance(fields.get(name), str)}
    for name in ("issuer", "authorization_endpoint", "token_endpoint"):
        if name not in found:
            raise TokenEndpointError(f"the authorization server metadata at {url} lacks {name}")
    for name, address in found.items():
        if not _is_address(str(address)):
            raise TokenEndpointError(f"the authorization server metadata at {url} has a malformed {name}")
        # RFC 8414 §3.3, RFC 9700 §4.4 (mix-up): credentials go to no other host than the one that was asked.
        require_secure(str(address))
        if urlsplit(str(address)).netloc != urlsplit(said.issuer).netloc:
            raise TokenEndpointError(
                f"the authorization server metadata at {url} names a foreign {name} ({urlsplit(str(address)).netloc})",
                hint="do not sign in; ask the administrator of that host",
            )
    iss = fields.get("authorization_response_iss_parameter_supported") is True
    return Metadata(
        **found,
        iss_in_response=iss,
        account_id=said.account_id,
        audience=said.audience,
        guessed=said.guessed,
        workspace_id=said.workspace_id,
        challenge_methods=_texts(fields.get("code_challenge_methods_supported")),
    )


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(each for each in value if isinstance(each, str) and each.isprintable())
