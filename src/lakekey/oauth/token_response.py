"""Reading what a token endpoint answers (RFC 6749 §5.1 and §5.2)."""

import math
from typing import Any, NamedTuple

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.transport import Answer

# The server's error code → what it means, and what helps.
_REFUSALS = {
    "invalid_client": (
        "the server does not accept the client id or its secret",
        "check client_id and client_secret; a secret that has ended needs a new one",
    ),
    "unauthorized_client": ("the client may not use this grant", "check auth_type, and how the client is registered"),
    "invalid_scope": ("a requested scope is not allowed for this client", "check scopes, and how it is registered"),
    "unsupported_grant_type": ("the server does not offer this grant", "check host and auth_type"),
    "access_denied": ("the server denied access", "ask the workspace's administrator"),
    "invalid_target": ("the server does not know the requested audience or resource", "check host and account_id"),
    "invalid_request": ("the server calls the request malformed", "check the profile's settings"),
}
_TRY_AGAIN = "try again in a minute; it was not the credentials that were refused"
_DEFAULT_LIFETIME = 3600.0  # RFC 6749 §5.1 leaves it to documentation, which says one hour
_LONGEST_LIFETIME = 30 * 86400.0  # no access token of the platform lives longer than a day; this bounds nonsense


class TokenResponse(NamedTuple):
    """A successful answer.

    Attributes:
        access_token: The token.
        lifetime: Seconds that it lives from the moment of the request.
        refresh_token: The refresh token that came with it, or ``None``: the old one stays valid (RFC 6749 §6).
        scopes: The scopes granted, or ``None``: those that were asked for (RFC 6749 §5.1).
        id_token: The OpenID Connect ID token, or ``None``.
    """

    access_token: str
    lifetime: float
    refresh_token: str | None
    scopes: tuple[str, ...] | None
    id_token: str | None

    def __repr__(self) -> str:
        return f"TokenResponse(lifetime={self.lifetime:g}, refresh_token={'yes' if self.refresh_token else 'no'})"


class InvalidGrant(Exception):
    """``invalid_grant``: the refresh token or the authorization code is dead (RFC 6749 §5.2). Never retried.

    Attributes:
        description: The server's own words.
    """

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


def parse(answer: Answer, *, hidden: tuple[str | None, ...] = ()) -> TokenResponse:
    """Read the answer of a token endpoint.

    Args:
        answer: What came over HTTP.
        hidden: Secrets of the request, which a server's error text might echo.

    Returns:
        The tokens.

    Raises:
        InvalidGrant: The refresh token or code is dead.
        CredentialsRefused: The client, secret or scopes are refused; trying again cannot help.
        TokenEndpointError: Anything else that is no usable answer; trying again may help.
    """
    fields = answer.json_object()
    if answer.status == 200 and fields is not None and "error" not in fields:
        return _success(fields, answer)
    if fields is None or not 400 <= answer.status < 500 or answer.status in (408, 429):
        raise TokenEndpointError(
            f"the token endpoint answered {answer.describe()}",
            status=answer.status,
            retry_after=answer.retry_after,
            hint=_TRY_AGAIN,
        )
    error = str(fields.get("error", "unknown"))[:80]
    description = _redact(str(fields.get("error_description", "")), hidden)[:300]
    said = f"{error}: {description}" if description else error
    if error == "invalid_grant":
        raise InvalidGrant(description or error)
    # The platform words its throttle as a malformed request (docs/design.md).
    if error in ("temporarily_unavailable", "server_error", "slow_down") or "throttled" in description.lower():
        raise TokenEndpointError(
            f"the token endpoint asks to slow down ({said})",
            status=answer.status,
            retry_after=answer.retry_after,
            hint=_TRY_AGAIN,
        )
    if error not in _REFUSALS:
        raise TokenEndpointError(
            f"the token endpoint answered HTTP {answer.status} ({said})", status=answer.status, hint=_TRY_AGAIN
        )
    meaning, hint = _REFUSALS[error]
    raise CredentialsRefused(f"{meaning} ({said})", error=error, hint=hint)


def _success(fields: dict[str, Any], answer: Answer) -> TokenResponse:
    access_token = fields.get("access_token")
    # RFC 6749 §7.1: a client must not use a token of a type that it does not understand.
    token_type = fields.get("token_type", "Bearer")
    if not _is_token(access_token) or not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise TokenEndpointError(
            "the token endpoint's answer holds no bearer token", status=answer.status, hint=_TRY_AGAIN
        )
    refresh_token = fields.get("refresh_token")
    if refresh_token is not None and not _is_token(refresh_token):
        refresh_token = None
    scope = fields.get("scope")
    id_token = fields.get("id_token")
    return TokenResponse(
        access_token=str(access_token),
        lifetime=_lifetime(fields.get("expires_in")),
        refresh_token=refresh_token,
        scopes=tuple(sorted(scope.split())) if isinstance(scope, str) and scope else None,
        id_token=id_token if isinstance(id_token, str) else None,
    )


def _is_token(value: object) -> bool:
    # RFC 6750 §2.1: visible characters only. Anything else could smuggle a second header into a request.
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable() and " " not in value


def _lifetime(value: object) -> float:
    """Seconds of life from ``expires_in``: numbers and numerals as they are, nonsense as the documented default."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _DEFAULT_LIFETIME
    if not math.isfinite(seconds) or seconds < 0 or isinstance(value, bool):
        return _DEFAULT_LIFETIME
    return min(seconds, _LONGEST_LIFETIME)


def _redact(text: str, hidden: tuple[str | None, ...]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, "[redacted]")
    return text
