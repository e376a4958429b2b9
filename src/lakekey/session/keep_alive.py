"""Keep sessions alive that are not used: renew refresh tokens ahead of their end, and report which sessions end when.

A refresh token that each renewal replaces lives on with each renewal, up to the session's own end. One round looks at
all sessions, or the ones that are named, and renews what is due at a bounded rate. One host at a time makes a round:
the others find the lock of the store taken, or nothing due.
"""

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration.settings import U2M
from lakekey.configuration.target import Target, resolve
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired, TokenEndpointError
from lakekey.session import inventory
from lakekey.session.end_notices import EndNotices
from lakekey.session.inventory import Found
from lakekey.session.keep_alive_outcomes import (
    BUSY,
    FAILED,
    NO_PROFILE,
    NOT_DUE,
    RENEWED,
    SIGN_IN,
    KeptSession,
    Sums,
    kept_session,
)
from lakekey.session.refresh_due import end_of, is_due, lapse_of
from lakekey.session.session import Session

RATE = 60.0  # renewals a minute
WARN = 3 * 86400.0  # seconds before a session's end at which it is reported as a warning
_PATIENCE = 3  # failures of one workspace in a row, after which it is left alone for the round
_AT_ONCE = 100  # sessions that are looked at before the first of them is renewed
_LONGEST_PAUSE = 60.0  # seconds that a workspace may make a round wait
#: The lock in the store that one round holds.
LOCK = hashlib.sha256(b"lakekey keep-alive").hexdigest()


class Round(NamedTuple):
    """One round.

    Attributes:
        sessions: What it found, in no order that means anything.
        held_by: Which process is at a round of its own, for people, so that this one did nothing; else ``None``.
    """

    sessions: list[KeptSession]
    held_by: str | None = None


def keep_alive(
    *names: str,
    rate: float = RATE,
    warn: float = WARN,
    environ: Mapping[str, str] | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Round:
    """Renew the refresh tokens of people's sessions that would expire unused, and report which sessions end when.

    Call it once an hour from a program of your own, or run ``lakekey keep-alive``. Service principals need none of it.

    Args:
        names: Profiles, or ids of entries (6 or more of their digits); none for all sessions of the cache.
        rate: Renewals a minute, at most.
        warn: Seconds before a session's end from which on it is reported as a warning, once a day, by one of the hosts
            that share its store.
        environ: The environment; ``None`` for this process's.
        pause: Waits for some seconds between two renewals; the round ends where it returns something true.

    Returns:
        What became of each session.

    Raises:
        ConfigurationError: A name leads to nothing.
        CacheError: The cache cannot be used.
    """
    done: list[KeptSession] = []
    each = round_of(*names, rate=rate, warn=warn, environ=environ, pause=pause)
    while True:
        try:
            done.append(next(each))
        except StopIteration as end:
            return Round(done, end.value)


def round_of(
    *names: str,
    rate: float = RATE,
    warn: float = WARN,
    environ: Mapping[str, str] | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Generator[KeptSession, None, str | None]:
    """The same round, one session after the other: a hundred thousand are never in memory. Arguments as `keep_alive`.

    Returns:
        Which process is at a round of its own, as `Round.held_by`.
    """
    environ = os.environ if environ is None else environ
    sums, pace = Sums(), _Pace(60.0 / rate, pause)
    for selection, cache, chosen in list(_chosen(names, environ)):
        first = list(itertools.islice(chosen, 1))
        if not first:
            continue
        with cache.lock(LOCK, to_write=False) as held:
            if not held:
                holder = cache.store.holder(LOCK) or "another process"
                _log.info("keep_alive", "%s keeps the sessions of %s alive", holder, cache.store.where)
                return holder
            notices = EndNotices(cache, selection, warn)
            try:
                for found, kept in _Pass(cache, environ, pace).over(itertools.chain(first, chosen)):
                    sums.add(kept)
                    _warn(found.entry, kept, notices)
                    yield kept
            finally:
                notices.close()
    sums.report(environ)
    return None


class _Pace:
    """How fast a round goes, over all its caches: one for each name that is given.

    Attributes:
        gap: Seconds between two renewals.
        pause: Waits for some seconds; true where the round is to end.
        failures: How often each workspace has failed in a row.
        wait: Seconds to wait before the next session.
    """

    def __init__(self, gap: float, pause: Callable[[float], object]) -> None:
        self.gap = gap
        self.pause = pause
        self.failures: dict[str, int] = {}
        self.wait = 0.0


class _Pass:
    """One pass over the sessions of a cache, under its lock."""

    def __init__(self, cache: Cache, environ: Mapping[str, str], pace: _Pace) -> None:
        self._cache = cache
        self._environ = environ
        self._pace = pace

    def over(self, chosen: Iterator[Found]) -> Iterator[tuple[Found, KeptSession]]:
        """Look at each session, and renew what is due; a page after the other, so that few are in memory."""
        while page := list(itertools.islice(chosen, _AT_ONCE)):
            with self._cache.store.together():  # what is asked of the store; nothing is sent to a workspace here
                looked = [(found, self._look(found)) for found in page]
            for found, kept in looked:
                if self._pace.wait and self._pace.pause(self._pace.wait):
                    return
                if self._pace.wait and not self._cache.store.still_locked(LOCK):
                    return  # the store gave the lock to another host, which makes a round of its own
                self._pace.wait = 0.0
                if isinstance(kept, Target):
                    yield found, self._renew(found, found.entry or Entry({}), kept)
                elif kept is not None:
                    yield found, kept

    def _look(self, found: Found) -> KeptSession | Target | None:
        """How a session stands, or what to renew it by if it is due; ``None`` for what is not a person's session."""
        entry, now = found.entry, time.time()
        if entry is None:
            return kept_session(found, None, FAILED, error=found.trouble)
        if entry.about.get("auth_type") != U2M:
            return None
        if not entry.refresh_token:
            return kept_session(found, None, SIGN_IN)
        lapses, ends = entry.refresh_expires_at, entry.session_ends_at
        if lapses and ends and not is_due(entry, lapses, ends, now):
            return kept_session(found, None, NOT_DUE)  # the server has said all, and no configuration says it better
        try:
            target = inventory.target_of(found, self._environ)
        except ConfigurationError:
            target = None
        if target is None:
            return kept_session(found, None, NO_PROFILE)
        due = is_due(entry, lapse_of(entry, target), end_of(entry, target), now)
        return target if due else kept_session(found, target, NOT_DUE)

    def _renew(self, found: Found, entry: Entry, target: Target) -> KeptSession:
        if self._pace.failures.get(target.host, 0) >= _PATIENCE:
            return kept_session(found, target, BUSY)
        self._pace.wait = self._pace.gap
        session = Session(target, cache=self._cache, environ=self._environ, interactive="never")
        try:
            renewed = session.renew_early(entry.access_token, always=True)
        except LoginRequired as error:
            return kept_session(found, target, SIGN_IN, error=error)
        except LakekeyError as error:
            if isinstance(error, TokenEndpointError):
                self._pace.failures[target.host] = self._pace.failures.get(target.host, 0) + 1
                self._pace.wait = max(self._pace.gap, min(error.retry_after or 0.0, _LONGEST_PAUSE))
            return kept_session(found, target, FAILED, error=error)
        self._pace.failures.pop(target.host, None)
        if renewed is None:
            return kept_session(found, target, BUSY)
        return kept_session(found._replace(entry=renewed), target, RENEWED)


def _chosen(names: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[tuple[str, Cache, Iterator[Found]]]:
    """What was named, its cache, and the sessions there that are meant."""
    if not names:
        cache = open_cache(environ)
        yield "", cache, inventory.walk(cache, environ)
        return
    for name in names:
        try:
            target = resolve(name, environ)
        except ConfigurationError:
            cache = open_cache(environ)
            rows = inventory.by_prefix(cache, name, environ)
            if not rows:
                raise
            yield name, cache, iter(rows)
            continue
        cache = open_cache(target.cache_environment(environ), place=target.store)
        wanted = entry_id(target.cache_key_fields())
        entry = cache.get(wanted)
        if entry is None:
            raise ConfigurationError(
                f"there is no session of {name} to keep alive", hint=f"run: {target.login_command}", profile=name
            )
        yield name, cache, iter([Found(wanted, entry, (name,))])


def _warn(entry: Entry | None, kept: KeptSession, notices: EndNotices) -> None:
    """Report that a session ends, where that is due."""
    if entry is None or kept.ends_at is None or not notices.is_due(kept.entry, entry, kept.ends_at.timestamp()):
        return
    _log.warning(
        "keep_alive", "%s: the session of %s ends at %s; the person has to sign in again before, entry %s",
        kept.profile or kept.workspace, kept.identity or "an unknown person",
        kept.ends_at.isoformat(timespec="minutes"), kept.entry[:12],
    )  # fmt: skip
