"""The session of this machine as a source: headers come from an immutable snapshot of its entry, swapped whole.

The hot path reads two clocks and one tuple: no lock, no I/O, no object made but the header mapping itself.
"""

from __future__ import annotations

import functools
import sys
import time
from time import monotonic as _monotonic
from time import time as _time

from lakekey._imports import LOADING, amid_import
from lakekey._named_tuple import NamedTuple
from lakekey.errors import ConfigurationError, LakekeyError, LockTimeout, raise_if_replaced
from lakekey.session.expiry import CLOCK_TOLERANCE, is_on_trial, margin, nears_end, session_end, stale_at
from lakekey.session.session import Session, SignedOutElsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import TypeVar

    from lakekey.cache.entry import Entry
    from lakekey.configuration.target import Target
    from lakekey.providers.session_ending import EndWatch, SessionEnding
    from lakekey.providers.sources import HeaderFactory, Headers, SecondChances
    from lakekey.providers.token import Token

    T = TypeVar("T")

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 120.0


# Loaded once, so that no caller with a live token waits for the lock while another thread loads the protocol code.


@functools.cache
def _token_of() -> Callable[[Entry], Token]:
    with LOADING:
        from lakekey.providers.token import token_of

    return token_of


@functools.cache
def _background() -> ModuleType:
    with LOADING:
        from lakekey.providers import background_renewal

    return background_renewal


def _no_chances() -> SecondChances:
    with LOADING:
        from lakekey.providers.sources import SecondChances

    return SecondChances()


class _Snapshot(NamedTuple):
    """What the hot path needs. The token is handed out until one of the clocks says that it is stale.

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


class SessionSource:
    """A `lakekey.providers.sources.TokenSource` over a session.

    Args:
        session: Where the entries come from.
        first_pause: Seconds until a token that is stale is tried to be replaced again.
    """

    def __init__(self, session: Session, *, first_pause: float = _FIRST_PAUSE) -> None:
        self.target = session.target
        self._session = session
        self._snapshot: _Snapshot | None = None
        self._fresh = _NOTHING
        self._end_watch: EndWatch | None = None
        self._first_pause = self._early_pause = first_pause
        self._made_chances: SecondChances | None = None
        self.headers = self._make_factory()

    @property
    def is_fresh(self) -> bool:
        """See `TokenSource.is_fresh`."""
        return self._fresh_headers() is not None

    def located(self) -> Target:
        """See `TokenSource.located`."""
        return self.target

    def sdk_headers(self) -> None:
        """See `TokenSource.sdk_headers`."""
        return

    def unattended_headers(self) -> Headers:
        """See `TokenSource.unattended_headers`."""
        return self._fresh_headers() or self._renewed_headers(ask=False)

    def token(self) -> Token:
        """See `TokenSource.token`."""
        self.headers()
        snapshot = self._snapshot
        while snapshot is None:  # another thread has signed out in between
            self.headers()
            snapshot = self._snapshot
        entry = snapshot.entry
        return self._with_profile(lambda: _token_of()(entry))

    def login(self, *, switch: bool) -> None:
        """See `TokenSource.login`."""
        self._adopt(self._with_profile(lambda: self._session.sign_in(switch=switch)))

    def logout(self) -> bool:
        """See `TokenSource.logout`."""
        try:
            return bool(self._with_profile(self._session.sign_out).removed)
        finally:
            # Last, since another thread that finds no snapshot takes the entry's while there is one.
            self._snapshot = None
            self._fresh = _NOTHING

    def on_session_ending(self, callback: Callable[[SessionEnding], None]) -> None:
        """See `TokenSource.on_session_ending`."""
        self._watch().add(callback)
        if self._snapshot is not None:
            self._look_at_end(self._snapshot.entry)

    def invalidate(self, access_token: str, *, ask: bool) -> bool:
        """See `TokenSource.invalidate`."""
        snapshot = self._snapshot
        if snapshot is not None and snapshot.entry.access_token != access_token:
            return True
        on_trial = snapshot is not None and is_on_trial(snapshot.entry, time.time())
        served = self._chances().take(access_token, on_trial=on_trial)
        entry = self._with_profile(
            lambda: self._session.usable(rejected=access_token, known=access_token, served=served, ask=ask)
        )
        if self._snapshot is snapshot:  # else another thread has put a newer one there
            self._adopt(entry)
        return entry.access_token != access_token

    def served(self, access_token: str) -> None:
        """See `TokenSource.served`."""
        self._chances().served(access_token)

    def identity(self) -> str | None:
        """See `TokenSource.identity`."""
        if not self.target.is_person:  # a service principal is its application id, before its first token as well
            return self.target.client_id or None
        entry = self.stored()
        return entry.identity if entry is not None else None

    def needs_login(self) -> bool:
        """See `TokenSource.needs_login`."""
        if not self.target.is_person:
            return False
        entry = self.stored()
        return entry is None or not (entry.refresh_token or self._session.serves(entry))

    def stored(self) -> Entry | None:
        """See `TokenSource.stored`."""
        return self._with_profile(self._session.peek)

    # -- inside -------------------------------------------------------------------------------------------------

    def _make_factory(self) -> HeaderFactory:
        def factory() -> Headers:
            until, until_monotonic, authorization, since = self._fresh
            if since <= _time() < until and _monotonic() < until_monotonic:
                return {"Authorization": authorization}
            return self._renewed_headers(ask=True)

        return factory

    def _fresh_headers(self) -> Headers | None:
        until, until_monotonic, authorization, since = self._fresh
        is_fresh = since <= time.time() < until and time.monotonic() < until_monotonic
        return {"Authorization": authorization} if is_fresh else None

    def _renewed_headers(self, *, ask: bool) -> Headers:
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
        entry = self._with_profile(lambda: self._session.usable(known=known, ask=ask))
        if self._snapshot is snapshot:  # else another thread has put a newer one there
            self._adopt(entry)
        return {"Authorization": f"Bearer {entry.access_token}"}

    def _renew_in_background(self, snapshot: _Snapshot) -> None:
        if amid_import() or sys.is_finalizing():
            return  # asked in the midst of an import, which may be of that very module; the next call does it
        try:
            background = self._with_profile(_background)
        except ConfigurationError:
            return  # another release is in the place of this one; the token serves, and when it ends the caller is told
        background.submit(self._session.entry_id, lambda: self._renew_early(snapshot))

    def _renew_early(self, snapshot: _Snapshot) -> None:
        with LOADING:
            from lakekey import _log

        name, entry_id = self.target.name, self._session.entry_id[:12]
        _log.debug("background", "%s: renewing ahead of time, entry %s", name, entry_id)
        try:
            entry = self._with_profile(lambda: self._session.renew_early(snapshot.entry.access_token))
        except SignedOutElsewhere:
            _log.info("provider", "%s: signed out on another host, entry %s", name, entry_id)
            if self._snapshot is snapshot:
                self._snapshot, self._fresh = None, _NOTHING
            return
        except LakekeyError as error:
            # Logged once, not at every try: the token that is here still serves, and when it ends the caller is told.
            report = _log.warning if self._early_pause == self._first_pause else _log.debug
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
        until = min(stale_at(entry.issued_at, entry.expires_at) - ahead, now + self._session.recheck_after)
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
        self._early_pause = self._first_pause
        self._fresh = (snapshot.until, snapshot.until_monotonic, snapshot.authorization, snapshot.since)
        self._look_at_end(entry)

    def _look_at_end(self, entry: Entry) -> None:
        if nears_end(entry, time.time()):
            self._watch().near(entry, session_end(entry))

    def _chances(self) -> SecondChances:
        if self._made_chances is None:
            self._made_chances = self._with_profile(_no_chances)
        return self._made_chances

    def _watch(self) -> EndWatch:
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

    def _with_profile(self, work: Callable[[], T]) -> T:
        """Do the work; an error names the profile that it happened to."""
        cannot_import = amid_import() or sys.is_finalizing()
        try:
            try:
                return work()
            except (ImportError, AttributeError) as error:
                if not cannot_import:
                    raise_if_replaced(error)
                raise
        except LakekeyError as error:
            if error.profile is None:
                error.profile = self.target.name
            raise
        except KeyboardInterrupt as interruption:
            if "IPython" in sys.modules:  # which shows each frame of ours, unless told what to show
                with LOADING:
                    from lakekey import _cells

                _cells.shorten(interruption)
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
