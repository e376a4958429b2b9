"""The user's token that Databricks Apps forward with each request, as a provider; kept in memory, and nowhere else.

The platform's proxy adds these headers to requests, and they are worth what that proxy is worth: outside Databricks
Apps any visitor could send them. So `forwarded` serves an application that only that proxy can reach.
"""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lakekey import _moments
from lakekey.configuration.target import U2M, Target, resolve
from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.oauth import jwt
from lakekey.oauth.token_response import readable_scopes
from lakekey.providers.provider import Provider
from lakekey.providers.sources import HeaderFactory, Headers, TokenSource
from lakekey.providers.token import Token
from lakekey.session.expiry import margin

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakekey.cache.entry import Entry
    from lakekey.providers.session_ending import SessionEnding

TOKEN = "x-forwarded-access-token"
_NAMES = ("x-forwarded-email", "x-forwarded-preferred-username", "x-forwarded-user")
_UNKNOWN_LIFETIME = 300.0  # seconds; of a token that does not say when it expires
_ENDED = "the user's forwarded token has expired"
_RELOAD = "make a new provider from the next request, which brings a new token"


class _Forwarded:
    """A `lakekey.providers.sources.TokenSource` of one token, which nothing renews.

    Args:
        target: Where it is accepted.
        access_token: The token.
        scopes: What it may do.
        expires_at: When it expires, in epoch seconds.
        who: Whose it is, where known.
    """

    def __init__(
        self, target: Target, access_token: str, scopes: tuple[str, ...], expires_at: float, who: str | None
    ) -> None:
        self.target = target
        self._token = Token(access_token, "Bearer", _moments.utc(expires_at), scopes)
        self._end = expires_at - margin(max(0.0, expires_at - time.time()))
        self._who = who
        self._refused = False
        self.headers: HeaderFactory = self._headers

    def __repr__(self) -> str:
        return f"_Forwarded({self._who}, expires_at={self._token.expires_at.isoformat(timespec='seconds')})"

    def __call__(self, _: TokenSource) -> "_Forwarded":
        """Stands in for the session, as a wrapper of it."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        raise ConfigurationError("a forwarded token stays in its process", hint=_RELOAD, profile=self.target.name)

    @property
    def is_fresh(self) -> bool:
        return not self._refused and time.time() < self._end

    def located(self) -> Target:
        return self.target

    def sdk_headers(self) -> None:
        return

    def _headers(self) -> Headers:
        return {"Authorization": f"Bearer {self.token().access_token}"}

    def unattended_headers(self) -> Headers:
        return self._headers()

    def token(self) -> Token:
        if not self.is_fresh:
            raise self._ended()
        return self._token

    def login(self, *, switch: bool) -> None:  # noqa: ARG002 - the protocol's signature
        raise self._ended()

    def logout(self) -> bool:
        was, self._refused = self.is_fresh, True
        return was

    def invalidate(self, access_token: str, *, ask: bool) -> bool:  # noqa: ARG002 - no person signs in here
        if access_token == self._token.access_token:
            self._refused = True
            raise self._ended()
        return self.is_fresh

    def served(self, access_token: str) -> None:
        """Nothing to learn: there is no other token."""

    def identity(self) -> str | None:
        return self._who

    def needs_login(self) -> bool:
        return not self.is_fresh

    def stored(self) -> "Entry | None":
        return None

    def on_session_ending(self, callback: "Callable[[SessionEnding], None]") -> None:
        """Nothing to tell: the platform renews the token with each request."""

    def _ended(self) -> LoginRequired:
        message = "the user's forwarded token was refused" if self._refused else _ENDED
        return LoginRequired(message, hint=_RELOAD, profile=self.target.name)


def forwarded(
    headers: Mapping[str, str], profile: str | None = None, *, environ: Mapping[str, str] | None = None, **settings: Any
) -> Provider:
    """A provider around the user's token that Databricks Apps forward with a request.

    The token is kept in the memory of this process only, and is not renewed: after its end the provider raises
    `LoginRequired`, and the next request brings another.

    Args:
        headers: The request's headers, as a mapping whose names may be in any case.
        profile: Where to sign in; ``None`` for the workspace of the app, which ``DATABRICKS_HOST`` names.
        environ: The environment; ``None`` for this process's.
        **settings: As for `lakekey.provider`.

    Raises:
        LoginRequired: The request brings no token, or one that has expired.
        ConfigurationError: The workspace is not configured.
    """
    given = {str(name).lower(): value for name, value in headers.items()}
    names = (value.strip() for value in (given.get(name, "") for name in _NAMES) if value)
    who = next((name for name in names if name and name.isprintable()), None)
    target = resolve(profile, os.environ if environ is None else environ, auth_type=U2M, user=who, **settings)
    access_token = given.get(TOKEN, "").strip()
    # RFC 6750 §2.1: visible characters only. Anything else could smuggle a second header into a request.
    if not (access_token and access_token.isascii() and access_token.isprintable() and " " not in access_token):
        raise LoginRequired(
            "the request has no token of its user",
            hint="turn on user authorization for the app, and pass on the headers of the request",
            profile=target.name,
        )
    claims = jwt.claims(access_token) or {}
    ends_at = jwt.ends_at(claims) or time.time() + _UNKNOWN_LIFETIME
    scope = claims.get("scope")
    scopes = readable_scopes(scope) if isinstance(scope, str) else target.scopes
    source = _Forwarded(target, access_token, scopes, ends_at, who)
    if not source.is_fresh:
        raise LoginRequired(_ENDED, hint=_RELOAD, profile=target.name)
    return Provider(target, "never", source)
