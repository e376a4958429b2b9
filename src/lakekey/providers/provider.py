"""The provider: what a connector holds. It hands out headers from an immutable snapshot, swapped whole.

The hot path reads two clocks and one tuple: no lock, no I/O, no object made but the header mapping itself.
"""

import functools
import sys
import time
from collections.abc import Callable, Mapping
from time import monotonic as _monotonic
from time import time as _time
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from lakekey._imports import LOADING, amid_import, libraries
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError, LockTimeout
from lakekey.session.expiry import CLOCK_TOLERANCE, is_on_trial, margin, nears_end, session_end, stale_at
from lakekey.session.session import Session

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    from lakekey.providers.session_ending import EndWatch, SessionEnding

Headers = dict[str, str]
HeaderFactory = Callable[[], Headers]

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 120.0
# How often a new token that has served and is then refused is replaced at once. More often, it is one resource that
# refuses every token, and others that accept them.
_SECOND_CHANCES = 3


# Loaded once, so that no caller with a live token waits for the lock while another thread loads the protocol code.


@functools.cache
def _moment() -> "Callable[[float], datetime]":
    with LOADING:
        from datetime import UTC, datetime

    return lambda seconds: datetime.fromtimestamp(seconds, UTC)


@functools.cache
def _background() -> "ModuleType":
    with LOADING:
        from lakekey.providers import background_renewal

    return background_renewal


@functools.cache
def _threads() -> "ModuleType":
    with libraries():
        from lakekey.providers import in_thread

    return in_thread


class Token(NamedTuple):
    """An access token, with what is known about it.

    Attributes:
        access_token: The bearer token. A secret: ``repr`` hides it.
        token_type: ``Bearer``.
        expires_at: When it ends, as an aware datetime in UTC.
        scopes: The scopes granted.
    """

    access_token: str
    token_type: str
    expires_at: "datetime"
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Token({self.token_type}, expires_at={self.expires_at.isoformat()}, scopes={self.scopes})"


class _Snapshot(NamedTuple):
    """What the hot path needs. A token is handed out without a thought until one of the clocks says otherwise.

    The wall clock knows of a suspended laptop, the monotonic one of a wall clock that was set back. A laptop whose
    clock was set back and that then slept deceives both, so a wall clock from before the token came counts as well.
    """

    since: float
    until: float
    until_monotonic: float
    authorization: str
    entry: Entry
    end: float
    end_monotonic: float

    def __repr__(self) -> str:
        return f"_Snapshot(until={self.until:.0f}, end={self.end:.0f})"


_NOTHING = (0.0, 0.0, "", 0.0)


class Provider:
    """Signs a connector in, as a person or as a service principal.

    Callable at every level at which connectors call it: ``p()`` (databricks-sql-connector) and ``p(cfg)``
    (databricks-sdk) return a header factory, which returns headers.

    Args:
        target: What it signs in to.
        cache: Where its session is kept; ``None`` for the cache that the environment names.
        environ: The environment, which also says whether a person is there; ``None`` for this process's.
    """

    __module__ = "lakekey"  # the public name, which pickles keep: no later move of this file breaks them

    def __init__(self, target: Target, *, cache: Cache | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.target = target
        self._session = Session(target, cache=cache, environ=environ)
        self._snapshot: _Snapshot | None = None
        self._fresh = _NOTHING
        self._end_watch: EndWatch | None = None
        self._early_pause = _FIRST_PAUSE
        self._served = ""
        self._second_chances = _SECOND_CHANCES
        self._factory = self._make_factory()

    def __repr__(self) -> str:
        return f"<lakekey.Provider {self.target.name}: {self.target.auth_type} at {self.target.host}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: who, where, until when; never a token."""
        with LOADING:
            from lakekey.providers.shown import as_html

        return as_html(self.target, None if self.target.is_delegated else self._session.peek())

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the secret and without tokens: unpickling finds both where the target says, or is an error.
        return Provider, (self.target,)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Provider":
        return self  # connectors copy their configuration; the session behind it is one all the same

    @overload
    def __call__(self) -> HeaderFactory: ...

    @overload
    def __call__(self, cfg: Any) -> Any: ...

    def __call__(self, cfg: Any = None) -> Any:
        """A header factory.

        Args:
            cfg: The SDK's ``Config`` where the SDK calls; nothing where the SQL connector does.

        Returns:
            A callable that returns fresh headers; for the SDK, one that also answers ``Config.oauth_token()``.
        """
        if cfg is None:
            return self._factory
        with LOADING:
            from lakekey import sdk

        return sdk.header_factory(self)

    def auth_type(self) -> str:
        """The SDK's name of the grant, such as ``external-browser`` or ``oauth-m2m``."""
        return self.target.auth_type

    def headers(self) -> Headers:
        """Fresh request headers: ``{"Authorization": "Bearer …"}``, a new mapping each time.

        Raises:
            LakekeyError: There is no token to be had; the error says what to do.
        """
        return self._factory()

    def token(self) -> Token:
        """The current access token, renewed where needed.

        Raises:
            LakekeyError: There is none to be had; the error says what to do.
        """
        self._factory()
        snapshot = self._snapshot
        while snapshot is None:  # another thread has signed out in between
            self._factory()
            snapshot = self._snapshot
        entry = snapshot.entry
        expires_at = self._said(lambda: _moment()(entry.expires_at))
        return Token(entry.access_token, entry.token_type, expires_at, entry.scopes)

    async def atoken(self) -> Token:
        """`token` for asyncio, trio and anyio: the event loop goes on while a token is renewed.

        A cancelled task leaves at once; an exchange that has been sent is completed without it.

        Raises:
            LakekeyError: As `token`; a `lakekey.ConfigurationError` where another event loop, or none, runs the caller.
        """
        until, until_monotonic, _, since = self._fresh
        if since <= time.time() < until and time.monotonic() < until_monotonic:
            return self.token()
        token: Token = await self._said(_threads).in_a_thread(self.token)
        return token

    def login(self, *, switch: bool = False) -> Token:
        """Sign in now, whatever is cached; as a person in the browser, as a service principal by its secret.

        Args:
            switch: Let another person than before take the session over.

        Raises:
            LoginRequired: No person is there to sign in.
            LoginFailed: The sign-in did not succeed.
            CredentialsRefused, TokenEndpointError, CacheError: As they say.
        """
        self._adopt(self._said(lambda: self._session.sign_in(switch=switch)))
        return self.token()

    def logout(self) -> bool:
        """Remove the session from the cache, for every process, and revoke it where the server offers that.

        Returns:
            Whether there was one.
        """
        try:
            return bool(self._said(self._session.sign_out).removed)
        finally:
            # Last, since another thread that finds no snapshot takes the entry's while there is one.
            self._snapshot = None
            self._fresh = _NOTHING

    def on_session_ending(self, callback: "Callable[[SessionEnding], None]") -> None:
        """Be called when the session nears its end, so that a host can ask its person to sign in ahead.

        It is looked at whenever a token is taken into use, so about once an hour; each end is told of once. The call
        comes from the thread that renewed the token.

        Args:
            callback: Gets a `lakekey.providers.session_ending.SessionEnding`.
        """
        self._watch().add(callback)
        if self._snapshot is not None:
            self._look_at_end(self._snapshot.entry)

    def invalidate(self, access_token: str) -> bool:
        """Report that a server refused a token (401 or 403): it is renewed, unless a newer one is already here.

        The new token is on trial: if it is refused as well within 30 s and has not `served`, it is kept, for every
        process. Another one would be refused, too, and each request would cost an exchange.

        Args:
            access_token: The token that was refused.

        Returns:
            Whether there is another token now, with which the refused request may be sent again.

        Raises:
            LakekeyError: There is no other token to be had.
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot.entry.access_token != access_token:
            return True
        served = self._second_chance(access_token, snapshot is not None and is_on_trial(snapshot.entry, time.time()))
        entry: Entry = self._said(
            lambda: self._session.usable(rejected=access_token, known=access_token, served=served)
        )
        if self._snapshot is snapshot:  # else another thread has put a newer one there
            self._adopt(entry)
        return entry.access_token != access_token

    def served(self, access_token: str) -> None:
        """Report that a server accepted a token: if it is refused later on, it may be the token, after all.

        Adapters report it; a program that calls `invalidate` by hand may.

        Args:
            access_token: The token that was accepted.
        """
        self._served = access_token

    def _second_chance(self, access_token: str, on_trial: bool) -> str:
        """The refused token if it has served and may be replaced although it is on trial, else ``""``."""
        if not on_trial:
            self._second_chances = _SECOND_CHANCES
        elif self._served == access_token and self._second_chances > 0:
            self._second_chances -= 1
            return access_token
        return ""

    def identity(self) -> str | None:
        """Who is signed in, as far as the server told; ``None`` where there is no session or it did not."""
        entry = self._said(self._session.peek)
        return entry.identity if entry is not None else None

    @property
    def session(self) -> Session:
        """The session behind it, for the command line and for tests."""
        return self._session

    # -- inside -------------------------------------------------------------------------------------------------

    def _make_factory(self) -> HeaderFactory:
        def factory() -> Headers:
            until, until_monotonic, authorization, since = self._fresh
            if since <= _time() < until and _monotonic() < until_monotonic:
                return {"Authorization": authorization}
            return self._renewed_headers()

        return factory

    def _renewed_headers(self) -> Headers:
        snapshot = self._snapshot
        if (
            snapshot is not None
            and snapshot.since <= time.time() < snapshot.end
            and time.monotonic() < snapshot.end_monotonic
        ):
            # Stale, but it serves: no caller waits. Ask for a newer one, and look again in a while.
            self._fresh = (
                min(time.time() + self._early_pause, snapshot.end),
                min(time.monotonic() + self._early_pause, snapshot.end_monotonic),
                snapshot.authorization,
                snapshot.since,
            )
            self._renew_in_background(snapshot)
            return {"Authorization": snapshot.authorization}
        known = snapshot.entry.access_token if snapshot is not None else ""
        entry = self._said(lambda: self._session.usable(known=known))
        if self._snapshot is snapshot:  # else another thread has put a newer one there
            self._adopt(entry)
        return {"Authorization": f"Bearer {entry.access_token}"}

    def _renew_in_background(self, snapshot: _Snapshot) -> None:
        if amid_import() or sys.is_finalizing():
            return  # asked in the midst of an import, which may be of that very module; the next call does it
        _background().submit(self._session.entry_id, lambda: self._renew_early(snapshot))

    def _renew_early(self, snapshot: _Snapshot) -> None:
        with LOADING:
            from lakekey import _log

        name, entry_id = self.target.name, self._session.entry_id[:12]
        _log.debug("background", "%s: renewing ahead of time, entry %s", name, entry_id)
        try:
            entry = self._session.renew_early(snapshot.entry.access_token)
        except LakekeyError as error:
            # Said once, not at every try: the token that is here serves on, and when it ends the caller is told.
            report = _log.warning if self._early_pause == _FIRST_PAUSE else _log.debug
            report("provider", "%s: cannot renew ahead of time: %s, entry %s", name, error.message, entry_id)
            self._early_pause = min(self._early_pause * 2, _LONGEST_PAUSE)
            return
        if entry is not None and self._snapshot is snapshot:  # else it was invalidated, or signed out of, meanwhile
            self._adopt(entry)

    def _adopt(self, entry: Entry) -> None:
        """Take an entry's token into use."""
        now, now_monotonic = time.time(), time.monotonic()
        # Issued in the future: the clock was set back while its request was under way. It lives no longer for that.
        ahead = max(0.0, entry.issued_at - now)
        end = entry.expires_at - margin(entry.expires_at - entry.issued_at) - ahead
        until = stale_at(entry.issued_at, entry.expires_at) - ahead
        snapshot = _Snapshot(
            since=now - CLOCK_TOLERANCE,
            until=until,
            until_monotonic=now_monotonic + (until - now),
            authorization=f"Bearer {entry.access_token}",
            entry=entry,
            end=end,
            end_monotonic=now_monotonic + (end - now),
        )
        if self._snapshot is None:
            self._announce(entry)
        self._snapshot = snapshot
        self._early_pause = _FIRST_PAUSE
        self._fresh = (snapshot.until, snapshot.until_monotonic, snapshot.authorization, snapshot.since)
        self._look_at_end(entry)

    def _look_at_end(self, entry: Entry) -> None:
        if nears_end(entry, time.time()):
            self._watch().near(entry, session_end(entry))

    def _watch(self) -> "EndWatch":
        if self._end_watch is None:
            with LOADING:
                from lakekey.providers.session_ending import EndWatch

            self._end_watch = EndWatch(self.target, self._session.entry_id)
        return self._end_watch

    def _announce(self, entry: Entry | None) -> None:
        if "logging" in sys.modules:  # else the record would be lost
            with LOADING:
                from lakekey.providers.unattended import announce

            announce(self.target, entry)

    def _said(self, work: Callable[[], Any]) -> Any:
        """Do the work; an error says to which profile it happened."""
        cannot_import = amid_import() or sys.is_finalizing()
        try:
            return work()
        except LakekeyError as error:
            if error.profile is None:
                error.profile = self.target.name
            raise
        except (ImportError, AttributeError):
            # A handler or a finalizer struck while this very thread loads what the work needs, or at the very end.
            if not cannot_import:
                raise
        raise LockTimeout(
            "asked by code that interrupts the loading of lakekey, or as Python ends, and no token is in use yet",
            hint="ask again when that is done",
            profile=self.target.name,
        )
