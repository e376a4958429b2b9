"""How a sign-in can end, by code: what the page has words for, and what `finish_sign_in` raises."""

from typing import Any, NamedTuple

from lakekey.errors import (
    CredentialsRefused,
    LakekeyError,
    LoginDenied,
    LoginFailed,
    LoginTimeout,
    TokenEndpointError,
    WrongIdentity,
)

CONNECTED = "connected"
#: Another person signed in than expected, and the browser is asked.
ASKS = "other-person"
KEPT = "kept"  # the person said no; what was there before is as it was
BUSY = "busy"  # another request is at it

# Trouble after which a new sign-in helps.
UNKNOWN = "unknown"
OTHER_BROWSER = "other-browser"
NO_COOKIE = "no-cookie"
OTHER_USER = "other-user"
LATE = "late"
DENIED = "denied"
WRONG_SERVER = "wrong-server"
NOT_ACCEPTED = "not-accepted"
WRONG_TOKEN = "wrong-token"
CLOCK_AHEAD = "clock-ahead"
UNVERIFIED = "unverified"
INTERRUPTED = "interrupted"
NOT_STORED = "not-stored"
# Trouble that passes by itself.
TRY_LATER = "try-later"
STORE_AWAY = "store-away"
TOO_MANY = "too-many"
# Trouble that an administrator has to fix.
APP_REFUSED = "app-refused"
NO_REFRESH_TOKEN = "no-refresh-token"
FEWER_SCOPES = "fewer-scopes"
NOT_A_MEMBER = "not-a-member"
BAD_METADATA = "bad-metadata"
NO_APP = "no-app"

ADMINISTRATOR = frozenset({APP_REFUSED, NO_REFRESH_TOKEN, FEWER_SCOPES, NOT_A_MEMBER, BAD_METADATA, NO_APP})


class Outcome(NamedTuple):
    """How a sign-in ended, or what it waits for.

    Attributes:
        code: One of the codes above.
        who: Who signed in at the authorization server, or who began, as the code needs it.
        expected: Who was expected.
        detail: What else there is to tell, in the server's or our words; no secret.
        profile: What was signed in to.
        return_to: The page of the host application to go on to, or ``""``.
    """

    code: str
    who: str | None = None
    expected: str | None = None
    detail: str = ""
    profile: str = ""
    return_to: str = ""

    def as_fields(self) -> dict[str, Any]:
        """As a row keeps it."""
        return self._asdict()

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Outcome":
        """As a row kept it."""
        return cls(**{name: fields[name] for name in cls._fields if name in fields})

    def to_error(self) -> LakekeyError:
        """The error of a sign-in that did not succeed."""
        kind, message, hint = _ERRORS.get(self.code, (LoginFailed, "the sign-in did not succeed", "sign in again"))
        people = {"who": self.who or "a person without a name", "expected": self.expected or "another person"}
        filled, hint = message.format_map(people), hint.format_map(people)
        if self.detail:
            filled += f" ({self.detail})"
        return kind(filled, hint=hint, profile=self.profile or None)


def of_error(error: LakekeyError) -> Outcome:
    """What an error of the exchange means."""
    if isinstance(error, TokenEndpointError):
        return Outcome(TRY_LATER, detail=f"HTTP {error.status}" if error.status else "")
    if isinstance(error, CredentialsRefused):
        return Outcome(APP_REFUSED, detail=error.error or "")
    return Outcome(NOT_ACCEPTED)


def of_refusal(error: str) -> Outcome:
    """What an error of the authorization endpoint means (RFC 6749 §4.1.2.1); its description is shown nowhere."""
    if error in ("server_error", "temporarily_unavailable"):
        return Outcome(TRY_LATER)
    if error in ("invalid_scope", "unauthorized_client", "invalid_request", "unsupported_response_type"):
        return Outcome(APP_REFUSED, detail=error)
    return Outcome(DENIED)


_AGAIN = "sign in again"
_ASK = "ask the administrator of the app registration"
_ERRORS: dict[str, tuple[type[LakekeyError], str, str]] = {
    ASKS: (WrongIdentity, "{who} signed in, and {expected} was expected", "sign in as {expected}, or allow it"),
    KEPT: (LoginDenied, "the sign-in of {who} was not accepted", _AGAIN),
    BUSY: (LoginFailed, "another request is completing this sign-in", "look again in a moment"),
    UNKNOWN: (LoginFailed, "this is not the answer to a sign-in that was started here", _AGAIN),
    OTHER_BROWSER: (LoginFailed, "the sign-in was started in another browser", "start and finish in one browser"),
    NO_COOKIE: (LoginFailed, "the browser did not send the cookie that the sign-in started with", "allow cookies"),
    OTHER_USER: (LoginFailed, "{who} started the sign-in, and {expected} finished it", "start and finish as one user"),
    LATE: (LoginTimeout, "the sign-in took longer than ten minutes", _AGAIN),
    DENIED: (LoginDenied, "the sign-in was refused", "sign in again, and agree to the request"),
    WRONG_SERVER: (LoginFailed, "the answer comes from another authorization server", "tell your security team"),
    NOT_ACCEPTED: (LoginFailed, "the server did not accept the sign-in's code", _AGAIN),
    WRONG_TOKEN: (LoginFailed, "the ID token is of another client or another sign-in", "tell your security team"),
    CLOCK_AHEAD: (
        LoginFailed,
        "the clock here is ahead of the server's",
        "set the clock",
    ),
    UNVERIFIED: (WrongIdentity, "the server does not say who signed in", "add openid and email to the app's scopes"),
    INTERRUPTED: (LoginFailed, "the sign-in was interrupted before it was stored", _AGAIN),
    NOT_STORED: (LoginFailed, "the sign-in could not be stored", _AGAIN),
    TRY_LATER: (TokenEndpointError, "the authorization server gave no usable answer", "try again in a minute"),
    STORE_AWAY: (TokenEndpointError, "the store cannot be reached; nothing was sent", "try again in a minute"),
    TOO_MANY: (LoginFailed, "too many sign-ins are open", "try again in a few minutes"),
    APP_REFUSED: (CredentialsRefused, "the server refuses the app", _ASK),
    NO_REFRESH_TOKEN: (LoginFailed, "the answer has no refresh token", "allow the app the scope offline_access"),
    FEWER_SCOPES: (LoginFailed, "the server granted fewer scopes than the app asks for", _ASK),
    NOT_A_MEMBER: (LoginFailed, "{who} is not a member of the workspace", "ask the workspace's administrator"),
    BAD_METADATA: (LoginFailed, "the authorization server's metadata are not those that were registered", _ASK),
    NO_APP: (LoginFailed, "no app is registered for this workspace", "lakekey apps add"),
}
