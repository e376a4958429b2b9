"""Where a session connects to, and which authorities it trusts there."""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from lakekey import _plain_files
from lakekey._hosts import LOOPBACK, routing_headers
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError

CLUSTER_HEADER = "x-databricks-cluster-id"
_TLS_PORT = 443
# gRPC has a variable of its own, which it reads itself; these are what the token's own requests obey.
_GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def connect_url(
    target: Target,
    url: str | None,
    *,
    cluster_id: str | None,
    parameters: Mapping[str, str | None],
    headers: Mapping[str, str],
) -> str:
    """The ``sc://`` address of a session, whole: host, port, ``use_ssl``, and what else pyspark reads from it.

    Args:
        target: What is signed in to.
        url: The caller's address, or ``None`` for the target's host and cluster.
        cluster_id: The caller's cluster.
        parameters: pyspark's parameters; those that are ``None`` are not said.
        headers: Metadata for each RPC.

    Raises:
        ConfigurationError: There is not an address, or none that a token may be sent to.
    """
    said = {name: value for name, value in parameters.items() if value is not None}
    said |= {name.lower(): value for name, value in headers.items()}
    if url is None:
        url = _workspace(target)
        cluster_id = cluster_id or target.cluster_id
        if cluster_id is None and not headers:
            raise ConfigurationError(
                "there is no cluster_id", hint="set cluster_id in the profile, or pass url=", profile=target.name
            )
    if cluster_id is not None:
        said[CLUSTER_HEADER] = cluster_id
    base, host, given = _parts(url, target)
    whole = given | {name: quote(value, safe="") for name, value in said.items()}
    if host == urlsplit(target.host).hostname:
        routing = routing_headers(target.workspace_id)
        whole = {name.lower(): quote(value, safe="") for name, value in routing.items()} | whole
    _refuse_foreign_credentials(whole, target)
    _refuse_what_cannot_be_sent(whole, target)
    whole["use_ssl"] = "true" if _wants_tls(host, given, target) else "false"
    return f"{base}/;" + ";".join(f"{name}={value}" for name, value in whole.items())


def roots(ca_file: str | None, environ: Mapping[str, str]) -> bytes | None:
    """The PEM certificates to trust: the profile's, else those that the environment names for every program.

    Returns:
        ``None`` if gRPC is to choose: it knows its own variable and brings public roots.

    Raises:
        ConfigurationError: The named file cannot be read.
    """
    source, path = _bundle(ca_file, environ)
    if path is None:
        return None
    try:
        return _plain_files.content(path)
    except OSError as error:
        raise ConfigurationError(
            f"the certificates of {source} cannot be read: {error.strerror}", hint=f"check {source}: {path}"
        ) from None


def _bundle(ca_file: str | None, environ: Mapping[str, str]) -> tuple[str, str | None]:
    if ca_file:
        return "ca_file", ca_file
    if not environ.get(_GRPC_ROOTS):
        for variable in _BUNDLES:
            # gRPC takes no directory of hashed names, which these may also be.
            if environ.get(variable) and not os.path.isdir(environ[variable]):
                return variable, environ[variable]
    return _GRPC_ROOTS, None


def _workspace(target: Target) -> str:
    address = urlsplit(target.host)
    secure = address.scheme == "https"
    name = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    port = address.port or (_TLS_PORT if secure else 80)
    return f"sc://{name}:{port}/;use_ssl={'true' if secure else 'false'}"


def _parts(url: str, target: Target) -> tuple[str, str, dict[str, str]]:
    """``sc://host:port``, the host, and the parameters behind it, still quoted."""
    scheme, _, rest = url.partition("://")
    authority, _, parameters = rest.partition("/")
    pairs = [pair.partition("=") for pair in parameters.lstrip(";").split(";") if pair]
    try:
        address = urlsplit(f"//{authority}")
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    well_formed = scheme == "sc" and host and port != 0 and "@" not in authority
    well_formed = well_formed and not re.search(r"[?#\\\s]", url)  # pyspark would not take what follows for a parameter
    well_formed = well_formed and all(equals and "=" not in value for _, equals, value in pairs)
    if not well_formed or (parameters and not parameters.startswith(";")):
        # The url is not quoted: it may hold a token.
        raise ConfigurationError(
            "the url is not a Spark Connect address", hint="url = sc://host:port/;name=value", profile=target.name
        )
    return f"sc://{authority}", host or "", {name.lower(): value for name, _, value in pairs}


def _refuse_foreign_credentials(said: Mapping[str, str], target: Target) -> None:
    for name in ("token", "authorization"):
        if name in said:
            raise ConfigurationError(
                f"the session is given a {name} besides the one that lakekey signs it in with",
                hint=f"leave {name} out",
                profile=target.name,
            )


def _refuse_what_cannot_be_sent(said: Mapping[str, str], target: Target) -> None:
    """Without this, gRPC fails each RPC with "Invalid metadata", and does not say whose."""
    for name, value in said.items():
        sent = name != "user_id"  # that one travels inside the messages
        if sent and (not re.fullmatch(r"[a-z0-9_.-]+(?<!-bin)", name) or not re.fullmatch(r"[ -~]*", unquote(value))):
            raise ConfigurationError(
                f"{name!r} cannot be sent as gRPC metadata, or its value cannot",
                hint="names have letters, digits, - _ and . only, and values printable ASCII",
                profile=target.name,
            )


def _wants_tls(host: str, given: Mapping[str, str], target: Target) -> bool:
    secure = given.get("use_ssl", "").lower()
    if secure not in ("", "true", "false"):
        raise ConfigurationError("use_ssl is neither true nor false", hint="use_ssl=true", profile=target.name)
    if secure == "true" or (host not in LOOPBACK and secure == ""):
        return True
    if host in LOOPBACK:
        return False
    raise ConfigurationError(
        f"a token is not sent to {host} in clear", hint="remove use_ssl=false from the url", profile=target.name
    )
