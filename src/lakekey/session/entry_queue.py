"""Waiting for one's turn at an entry: to work on it under its lock, or to take the result of the process that does.

A waiting process has loaded neither the protocol code nor anything else that only the work needs: where dozens of
processes wait on few cores, their loading would take the processor from the one that works.
"""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lakekey._single_flight import Busy, Commitment, Flights, Overdue
from lakekey.cache.entry import Entry, Failure, Stored
from lakekey.cache.entry_lock import LONGEST_POLL, next_try
from lakekey.session.credential_part import CredentialPart
from lakekey.session.wait_notice import Wait

if TYPE_CHECKING:
    from lakekey.session.credential import Credential

# Of a store that hundreds of processes ask: as seldom as is bearable, and more so where it is slow to answer.
_LONGEST_SHARED_POLL, _LONGEST_SLOW_POLL = 1.0, 5.0
_SHARE = 2.0  # a process that waits asks for a third of the time at most

Done = Callable[[Entry], bool]
Work = Callable[[Commitment, Stored], Entry]


T = TypeVar("T")

_flights: Flights[Entry] = Flights()


class NotYet(Exception):
    """The work cannot be done now, since a process that no longer has the lock may still be at it.

    Args:
        holder: Which process, for people, where known.
    """

    def __init__(self, holder: str | None) -> None:
        super().__init__(holder)
        self.holder = holder


def next_shared_try(waited: float, took: float) -> float:
    """Seconds until a shared store is asked again; a crowd that asked a busy one at the same rate would keep it busy.

    Args:
        waited: The wait so far, in seconds.
        took: How long its last answers took.
    """
    share = _SHARE * took
    longest = min(max(_LONGEST_SHARED_POLL, share), _LONGEST_SLOW_POLL)
    return next_try(waited, longest, min(share, LONGEST_POLL))


class _Turn(NamedTuple):
    """One turn of a wait.

    Attributes:
        stored: The entry as it was read last.
        held: Whether the lock is ours.
        settled: The entry, where a sibling has stored what we want.
    """

    stored: Stored
    held: bool
    settled: Entry | None


class EntryQueue(CredentialPart):
    """The queue for one credential's entry.

    Args:
        credential: Whose entry it is.

    Attributes:
        key: Who shares it shares flights, and so their results: not with another secret or another cache.
    """

    def __init__(self, credential: "Credential") -> None:
        super().__init__(credential)
        self.key = f"{credential.cache.store.where}:{credential.entry_id}:{credential.target.secret_digest}"

    def run(
        self,
        purpose: str,
        seen: Entry | None,
        is_done: Done | None,
        work: Work,
        *,
        ask: bool = True,
        since: float | None = None,
    ) -> Entry:
        """Do some work on the entry when its turn comes, unless a sibling has done it by then.

        Args:
            purpose: What is wanted; threads that want the same share one flight.
            seen: The entry as it was when this began. What has happened since is told by what differs from it, not
                by times: after a clock was set back, a failure that was noted before would look like one of the
                future, and count for all for as long.
            is_done: Whether an entry is what is wanted; ``None`` if only the work itself is.
            work: Does it, under the entry's lock.
            ask: Whether the caller waits for a person, too, who may be signing in under the lock.
            since: When the caller began to wait, by `time.monotonic`; ``None``: now.

        Returns:
            The entry that the work, or a sibling's, has left.

        Raises:
            LockTimeout: Another process held the lock for too long.
            LakekeyError: The work failed, or a sibling's did.
        """
        known = seen.failure if seen is not None else None

        def queue(commitment: Commitment) -> Entry:
            return self._queue(commitment, known, is_done, work, ask=ask, since=since)

        return self.share(_flights, f"{self.key}:{purpose}", queue, ask=ask)

    def in_turn(self, commitment: Commitment, work: Work) -> Entry:
        """Do some work on the entry when its turn comes, from inside a flight that does more than that.

        Raises:
            LakekeyError: As `run` says.
        """
        return self._queue(commitment, None, None, work)

    def share(self, flights: Flights[T], key: str, work: Callable[[Commitment], T], *, ask: bool = True) -> T:
        """Do some work once for all threads that want it, and wait for it for as long as it may take and no longer.

        Args:
            flights: Where threads share it.
            key: What is wanted.
            work: Does it.
            ask: As for `run`.

        Raises:
            LockTimeout: It cannot be waited for here, or it did not end.
        """
        patience = self._patience(ask=ask) + self._timing.exchange_deadline + self._timing.margin
        if ask and self._credential.attended:
            # For the person, and for the code's exchange.
            patience += self._target.login_timeout + self._timing.exchange_deadline
        try:
            return flights.run(key, self._events.carried(work), patience=patience)
        except Busy:
            error = self._failures.busy()
        except Overdue:
            error = self._failures.overdue(patience)
        raise error

    def _patience(self, *, ask: bool = True) -> float:
        """Seconds to wait for the entry's lock."""
        # Where a person is there, the holder may be waiting for one.
        return self._target.lock_timeout + (self._target.login_timeout if ask and self._credential.attended else 0.0)

    def _queue(
        self,
        commitment: Commitment,
        known: Failure | None,
        done: Done | None,
        work: Work,
        *,
        ask: bool = True,
        since: float | None = None,
    ) -> Entry:
        arrived = since if since is not None else time.monotonic()
        deadline = arrived + self._patience(ask=ask)
        attended = self._credential.attended
        shared = self._cache.store.shared
        holder: str | None = None
        seen: Entry | None = None
        looked = False
        notice = self._timing.wait_notice

        def awaited() -> str:
            return self._awaited(seen)

        with Wait(self._entry_id, self._events, awaited, aloud=attended, patience=notice) as wait:
            while True:
                asked_at = time.monotonic()
                with contextlib.ExitStack() as locked:
                    turn = self._take_turn(locked, known, done, looked=looked)
                    seen = turn.stored.entry
                    if turn.settled is not None:
                        return turn.settled
                    if turn.held:
                        wait.over("lock")
                        try:
                            return work(commitment, turn.stored)
                        except NotYet as refusal:
                            holder = refusal.holder
                if time.monotonic() > deadline:
                    holder = holder or self._holder()
                    raise self._failures.lock_timeout(holder, self._entry_id, self._cache.store.where)
                looked = True
                now = time.monotonic()
                pause = next_shared_try(now - arrived, now - asked_at) if shared else next_try(now - arrived)
                wait.goes_on()
                self._pause(commitment, pause)

    def _take_turn(
        self, locked: contextlib.ExitStack, known: Failure | None, done: Done | None, *, looked: bool
    ) -> "_Turn":
        """Look whether a sibling has stored what we want, and try the lock: on one connection of a shared store.

        Args:
            locked: Holds the lock, where it is ours.
            known: As for `_settled`.
            done: As for `_settled`.
            looked: Whether there was a turn before, after which time has passed. A result needs no lock, nor that it
                be free, so it is looked for first then; and one look a turn is enough, since it may be a request.
        """
        with self._cache.together():
            if looked:
                stored = self._cache.read(self._entry_id)
                if (settled := self._settled(stored.entry, known, done)) is not None:
                    return _Turn(stored, held=False, settled=settled)
            # A caller that wants nothing done removes the entry, for which a full disk has room enough.
            held = locked.enter_context(self._cache.lock(self._entry_id, to_write=done is not None))
            if held or not looked:
                stored = self._cache.read(self._entry_id)
            return _Turn(stored, held=held, settled=self._settled(stored.entry, known, done))

    def _pause(self, commitment: Commitment, seconds: float) -> None:
        """Wait for some seconds, or until the holder of the lock is known to have died; that costs no request."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            commitment.pause(min(left, LONGEST_POLL))
            if self._cache.store.is_abandoned(self._entry_id):
                return

    def _settled(self, entry: Entry | None, known: Failure | None, done: Done | None) -> Entry | None:
        """What a sibling has stored since we began: what we want, or a failure that is ours too."""
        if entry is None or done is None:
            return None
        if done(entry):
            self._events.adopted(entry.identity)
            return entry
        failure = entry.failure
        if failure not in (None, known) and failure.proof == self._target.secret_digest:
            raise self._failures.to_error(failure)
        return None

    def _awaited(self, entry: Entry | None) -> str:
        doing = "renews the session at" if entry is not None and entry.refresh_token else "signs in to"
        return f"{self._holder()}, which {doing} {self._target.host}"

    def _holder(self) -> str:
        return self._cache.store.holder(self._entry_id) or "another process"
