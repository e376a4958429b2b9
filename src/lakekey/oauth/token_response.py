"""Reading what a token endpoint answers (RFC 6749 §5.1 and §5.2)."""

import contextlib
import math
from typing import Any, NamedTuple, Self
from urllib.parse import quote_plus

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.oauth.redaction import redacted
from lakekey.oauth.transport_errors import printable

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
# RFC 6749 §5.1 leaves a lifetime that is not told to documentation: an hour, and settable from 5 minutes to a day. The
# shortest serves no token that has ended, and the longest bounds nonsense.
_UNKNOWN_LIFETIME = 5 * 60.0
_LONGEST_LIFETIME = 86400.0
_LONGEST_REFRESH_LIFETIME = 10 * 366 * 86400.0  # ten years; the end is shown as a date, and the calendar has an end
_PASSING = (408, 425, 429)  # the 4xx that say: not now
# The error codes that say so. The platform words its throttle as a malformed request (docs/explanation/design.md).
_NOT_NOW = ("temporarily_unavailable", "server_error", "slow_down")


class TokenResponse(NamedTuple):
    """A successful answer.

    Attributes:
        access_token: The token.
        lifetime: Seconds that it lives from the moment of the request.
        refresh_token: The refresh token that came with it, or ``None``: the old one stays valid (RFC 6749 §6).
        scopes: The scopes granted, or ``None``: those that were asked for (RFC 6749 §5.1).
        id_token: The OpenID Connect ID token, or ``None``.
        refresh_lifetime: Seconds that the refresh token lives, or ``None``: the server does not say.
        problem: Why the access token cannot be used, in words; ``""`` if it can. Then only the refresh token of
            the answer counts: the one that was sent is spent, so throwing its successor away would end the session.
    """

    access_token: str
    lifetime: float
    refresh_token: str | None
    scopes: tuple[str, ...] | None
    id_token: str | None
    refresh_lifetime: float | None = None
    problem: str = ""

    def __repr__(self) -> str:
        return f"TokenResponse(lifetime={self.lifetime:g}, refresh_token={'yes' if self.refresh_token else 'no'})"

    def checked(self) -> Self:
        """Itself, where its access token can be used.

        Raises:
            TokenEndpointError: It cannot.
        """
        if self.problem:
            raise TokenEndpointError(self.problem, retryable=False, hint=_TRY_AGAIN)
        return self


class InvalidGrant(Exception):
    """``invalid_grant``: the refresh token or the authorization code is dead (RFC 6749 §5.2). Never retried.

    Attributes:
        code: The name of this kind of error, as ours have one.
        description: The server's own words.
    """

    code = "invalid_grant"

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
        TokenEndpointError: Any other unusable answer; trying again may help.
    """
    fields = answer.json_object()
    if 200 <= answer.status < 300 and fields is not None:
        # A null or empty error does not count. One beside a refresh token leaves only that to be used: it is the
        # successor of one that is spent, and throwing it away would end the session.
        said = _shown(fields.get("error") or "", hidden)[:80]
        problem = f"the token endpoint answered with tokens and an error ({said})" if said else ""
        if not said or _is_refresh_token(fields.get("refresh_token")):
            return _success(fields, answer, problem)
    is_refusal = 400 <= answer.status < 500 and answer.status not in _PASSING
    # A page of a gateway may hold anything; only what is labelled as JSON refuses something (RFC 6749 §5.2).
    if fields is None or not is_refusal or not answer.says_json:
        raise TokenEndpointError(
            f"the token endpoint answered {_shown(answer.describe(), hidden)}",
            status=answer.status,
            retry_after=answer.retry_after,
            retryable=not 300 <= answer.status < 500 or answer.status in _PASSING,
            hint=_TRY_AGAIN,
        )
    # What to do is decided by what came. Secrets are cut out of what is shown alone: an error code may look like one.
    error, description = str(fields.get("error", "unknown")), str(fields.get("error_description", ""))
    in_words = _shown(description, hidden)[:300]
    if error == "invalid_grant":
        raise InvalidGrant(in_words or error)
    passing = error in _NOT_NOW or "throttled" in description.lower()
    name = error if error in _NOT_NOW or error in _REFUSALS else _shown(error, hidden)[:80]
    said = f"{name}: {in_words}" if in_words else name
    if passing:
        raise TokenEndpointError(
            f"the token endpoint asks to slow down ({said})",
            status=answer.status,
            retry_after=answer.retry_after,
            hint=_TRY_AGAIN,
        )
    if error not in _REFUSALS:
        raise TokenEndpointError(
            f"the token endpoint answered HTTP {answer.status} ({said})",
            status=answer.status,
            retryable=False,
            hint=_TRY_AGAIN,
        )
    meaning, hint = _REFUSALS[error]
    raise CredentialsRefused(f"{meaning} ({said})", error=error, hint=hint)


def _success(fields: dict[str, Any], answer: Answer, problem: str) -> TokenResponse:
    access_token = fields.get("access_token")
    # RFC 6749 §7.1: a client must not use a token of a type that it does not understand.
    token_type = fields.get("token_type", "Bearer")
    is_bearer = isinstance(token_type, str) and token_type.lower() == "bearer"
    if not problem and not (_is_token(access_token) and is_bearer):
        problem = "the token endpoint's answer holds no bearer token"
    refresh_token = fields.get("refresh_token")
    if not _is_refresh_token(refresh_token):
        refresh_token = None
    if problem and refresh_token is None:
        raise TokenEndpointError(problem, status=answer.status, retryable=False, hint=_TRY_AGAIN)
    scope = fields.get("scope")
    id_token = fields.get("id_token")
    return TokenResponse(
        access_token="" if problem else str(access_token),
        lifetime=_lifetime(fields.get("expires_in")),
        refresh_token=refresh_token,
        scopes=readable_scopes(scope) if isinstance(scope, str) and scope else None,
        id_token=id_token if isinstance(id_token, str) else None,
        refresh_lifetime=_refresh_lifetime(fields),
        problem=problem,
    )


def readable_scopes(said: str) -> tuple[str, ...]:
    """The scopes that a text names (RFC 6749 §3.3), in order, without those that could not be shown or sent on."""
    return tuple(sorted(scope for scope in said.split() if scope.isprintable()))


def _refresh_lifetime(fields: dict[str, Any]) -> float | None:
    """No RFC names the field: Entra ID and others call it by the first of these, Keycloak by the second."""
    for name in ("refresh_token_expires_in", "refresh_expires_in"):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            seconds = float(fields.get(name))  # type: ignore[arg-type]
            if math.isfinite(seconds) and seconds > 0 and not isinstance(fields[name], bool):
                return min(seconds, _LONGEST_REFRESH_LIFETIME)
    return None


def _is_token(value: object) -> bool:
    # RFC 6750 §2.1: visible characters only. Anything else could smuggle a second header into a request.
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable() and " " not in value


def _is_refresh_token(value: object) -> bool:
    # Whatever it is made of, it travels form-encoded, and dropping it ends a session: so anything that can be encoded.
    return isinstance(value, str) and value != "" and value.encode(errors="replace").decode() == value


def _lifetime(value: object) -> float:
    """Seconds of life from ``expires_in``: numbers and numerals as they are; nonsense, 0 among it, as unknown."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return _UNKNOWN_LIFETIME
    if not math.isfinite(seconds) or seconds <= 0 or isinstance(value, bool):
        return _UNKNOWN_LIFETIME
    return min(seconds, _LONGEST_LIFETIME)


def _shown(said: object, hidden: tuple[str | None, ...]) -> str:
    """What a server says, as a person may see it: without the request's secrets, and without control characters."""
    secrets = [form for secret in hidden if secret for form in (secret, quote_plus(secret, errors="surrogatepass"))]
    return printable(redacted(str(said), secrets))
