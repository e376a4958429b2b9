"""Finding a workspace's authorization server (RFC 8414), and refusing one that points elsewhere."""

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lakekey import _log
from lakekey.errors import TokenEndpointError
from lakekey.oauth.transport import Answer, Transport, require_secure


class Metadata(NamedTuple):
    """An authorization server's endpoints (RFC 8414 §2).

    Attributes:
        issuer: Its issuer identifier.
        authorization_endpoint: Where a person signs in.
        token_endpoint: Where grants are exchanged.
        revocation_endpoint: Where tokens are revoked (RFC 7009), or ``None``.
        userinfo_endpoint: Where the identity is told, or ``None``.
        device_authorization_endpoint: Where a device asks for a code (RFC 8628 §4), or ``None``.
        account_id: The account that the host says it belongs to, or ``None``.
        iss_in_response: Whether authorization answers name the issuer (RFC 9207 §3).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    account_id: str | None = None
    iss_in_response: bool = False


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
        TokenEndpointError: No document that holds is to be had.
    """
    if discovery_url:
        return _fetch(transport, discovery_url, issuer_host=urlsplit(discovery_url).netloc)
    issuer, account = _oidc_endpoint(transport, host, account_id)
    found = _fetch(transport, f"{issuer}/.well-known/oauth-authorization-server", issuer_host=urlsplit(issuer).netloc)
    return found._replace(account_id=account)


def default_issuer(host: str, account_id: str | None) -> str:
    """The issuer that a host has unless its own configuration says otherwise."""
    is_account = account_id and re.match(r"https://accounts[.-]", host)
    return f"{host}/oidc/accounts/{account_id}" if is_account else f"{host}/oidc"


def _oidc_endpoint(transport: Transport, host: str, account_id: str | None) -> tuple[str, str | None]:
    """The issuer of a host, and the account that the host says it belongs to."""
    # Best effort: older hosts lack the document, and an account console answers 200 with a web page.
    fallback = default_issuer(host, account_id)
    try:
        answer = transport.get(f"{host}/.well-known/databricks-config")
    except TokenEndpointError:
        # Unreachable is unreachable: the next request says so in its own words.
        return fallback, account_id
    fields = _document(answer) or {}
    told = fields.get("account_id")
    account = told if isinstance(told, str) and told else account_id
    endpoint = fields.get("oidc_endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        return fallback, account
    if "{account_id}" in endpoint:
        if not account_id:
            return fallback, account
        endpoint = endpoint.replace("{account_id}", account_id)
    endpoint = endpoint.rstrip("/")
    if urlsplit(endpoint).netloc != urlsplit(host).netloc:
        _log.debug("oauth", "%s names the authorization server %s", host, endpoint)
    return endpoint, account


def _document(answer: Answer) -> dict[str, Any] | None:
    return answer.json_object() if answer.status == 200 else None


def _fetch(transport: Transport, url: str, *, issuer_host: str) -> Metadata:
    answer = transport.get(url)
    fields = _document(answer)
    if fields is None:
        raise TokenEndpointError(
            f"no authorization server metadata at {url} ({answer.describe()})",
            status=answer.status,
            retry_after=answer.retry_after,
            hint="check that the host is a Databricks workspace or account",
        )
    found = {name: fields.get(name) for name in _ADDRESSES if isinstance(fields.get(name), str)}
    for name in ("issuer", "authorization_endpoint", "token_endpoint"):
        if name not in found:
            raise TokenEndpointError(f"the authorization server metadata at {url} lacks {name}")
    for name, address in found.items():
        # RFC 8414 §3.3, RFC 9700 §4.4 (mix-up): credentials go to no other host than the one that was asked.
        require_secure(str(address))
        if urlsplit(str(address)).netloc != issuer_host:
            raise TokenEndpointError(
                f"the authorization server metadata at {url} names a foreign {name} ({urlsplit(str(address)).netloc})",
                hint="do not sign in; ask the administrator of that host",
            )
    iss = fields.get("authorization_response_iss_parameter_supported") is True
    return Metadata(**found, iss_in_response=iss)  # type: ignore[arg-type]
