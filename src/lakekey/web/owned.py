"""A source of tokens for one person: it ends where the name, and with it the connection, has become another's."""

from typing import Any

from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.errors import LoginRequired
from lakekey.providers.sources import HeaderFactory, Headers, TokenSource
from lakekey.providers.token import Token
from lakekey.session.login_required import login_required
from lakekey.web.connections import is_of
from lakekey.web.people import User

_TRIES = 3


class OwnedSource:
    """A `lakekey.providers.sources.TokenSource` around a session's, for a user who has an id.

    The store finds connections by name. So each new token is handed out only after a look at whose the entry is.

    Args:
        source: The session's source.
        user: Whose connection it has to be.
    """

    def __init__(self, source: TokenSource, user: User) -> None:
        self.target = source.target
        self._source = source
        self._user = user
        self._seen = ""
        self.headers = self._make_factory()

    @property
    def is_fresh(self) -> bool:
        """See `TokenSource.is_fresh`."""
        return self._source.is_fresh and self._source.headers()["Authorization"] == self._seen

    def located(self) -> Target:
        """See `TokenSource.located`."""
        return self._source.located()

    def sdk_headers(self) -> None:
        """See `TokenSource.sdk_headers`."""
        return

    def unattended_headers(self) -> Headers:
        """See `TokenSource.unattended_headers`: no person signs in here."""
        return self.headers()

    def token(self) -> Token:
        """See `TokenSource.token`."""
        while True:
            seen, token = self.headers()["Authorization"], self._source.token()
            if seen == f"Bearer {token.access_token}":  # else it was renewed in between
                return token

    def login(self, *, switch: bool) -> None:
        """See `TokenSource.login`."""
        if self._is_anothers():
            raise self._ended()
        self._source.login(switch=switch)

    def logout(self) -> bool:
        """See `TokenSource.logout`."""
        return False if self._is_anothers() else self._source.logout()

    def on_session_ending(self, callback: Any) -> None:
        """See `TokenSource.on_session_ending`."""
        self._source.on_session_ending(callback)

    def invalidate(self, access_token: str, *, ask: bool) -> bool:
        """See `TokenSource.invalidate`."""
        if self._is_anothers():
            raise self._ended()
        return self._source.invalidate(access_token, ask=ask)

    def served(self, access_token: str) -> None:
        """See `TokenSource.served`."""
        self._source.served(access_token)

    def identity(self) -> str | None:
        """See `TokenSource.identity`."""
        entry = self.stored()
        return entry.identity if entry is not None else None

    def needs_login(self) -> bool:
        """See `TokenSource.needs_login`."""
        return self._is_anothers() or self._source.needs_login()

    def stored(self) -> Entry | None:
        """See `TokenSource.stored`."""
        entry = self._source.stored()
        return entry if entry is not None and is_of(entry, self._user) else None

    # -- inside -------------------------------------------------------------------------------------------------

    def _make_factory(self) -> HeaderFactory:
        source = self._source.headers

        def factory() -> Headers:
            headers = source()
            return headers if headers["Authorization"] == self._seen else self._looked_at(source)

        return factory

    def _looked_at(self, source: HeaderFactory) -> Headers:
        for _ in range(_TRIES):
            headers, entry = source(), self.stored()
            if entry is None:
                break
            if headers["Authorization"] == f"Bearer {entry.access_token}":
                self._seen = headers["Authorization"]
                return headers
            # Not the one that is stored: older, or another person's, of which the store knows no more.
            self._source.invalidate(headers["Authorization"].removeprefix("Bearer "), ask=False)
        raise self._ended()

    def _is_anothers(self) -> bool:
        entry = self._source.stored()
        return entry is not None and not is_of(entry, self._user)

    def _ended(self) -> LoginRequired:
        error = login_required(self.target, None)
        error.profile = self.target.name
        return error
