"""Leases: the locks of a store that hosts share.

A lease is a row or key with a random nonce and an end, which the store judges by its own clock. It rides every
connection pooler, holds no connection open, and ends by itself when its holder dies. While the holder lives, a thread
renews it, so it is independent of how long the token endpoint takes.

A holder that was stopped for longer than the lease has lost it and may not know. So the end is also kept here, by the
monotonic clock and by the wall clock, which goes on while the machine sleeps, and counted from *before* the store was
asked: `Leases.still_held` errs on the safe side.

The nonce ends in the mark of its process. A process of the same machine that finds the mark of a dead one takes the
lease over at once, and names the nonce that it replaces; others wait until the lease ends.
"""

import _thread
import contextlib
import contextvars
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from lakekey import _log
from lakekey.cache.stores import process_mark
from lakekey.errors import CacheError

SECONDS = 10.0
_PART = 3.0  # a lease is renewed every third of it
_RANDOM = 16  # bytes of a nonce before the mark
_AT_ONCE = 1000  # leases of others that are remembered, and own ones that may still be in the store
_OF_ONE = 8  # own ones of one name


class LeaseKeeper(Protocol):
    """The store's side. Each call is one statement that names the nonce."""

    def take(self, name: str, nonce: bytes, holder: str, seconds: float, *, instead_of: bytes = b"") -> bytes:
        """Take a lease that is free, has ended, is already this nonce's, or ``instead_of``'s, whose holder is dead.

        Returns:
            Whose it is now: this nonce, or another's.
        """

    def renew(self, name: str, nonce: bytes, seconds: float) -> bool:
        """Let a lease of this nonce last so many seconds from now. Returns whether it was still ours."""

    def release(self, name: str, nonce: bytes) -> None:
        """Remove the lease, if it is this nonce's."""

    def holder(self, name: str) -> str | None:
        """Who holds a lease that has not ended, for people."""


class _Lease:
    """One lease of this process.

    Attributes:
        taken: Whether the store has given it.
        over: A lock that is open when its holder is done.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nonce = os.urandom(_RANDOM) + process_mark.mark_here().encode()
        self.pid = os.getpid()
        self.taken = False
        self._good_until = self._good_until_wall = 0.0
        self.over = _thread.allocate_lock()
        self.over.acquire()

    @property
    def is_good(self) -> bool:
        """Whether it is ours for sure: to both clocks, of which one stands still in a suspended machine."""
        return time.monotonic() < self._good_until and time.time() < self._good_until_wall

    def lasts(self, asked_at: tuple[float, float], seconds: float) -> None:
        """Note that the store gave it for some seconds, when it was asked at a time by both clocks."""
        self._good_until, self._good_until_wall = asked_at[0] + seconds, asked_at[1] + seconds

    def lost(self) -> None:
        """Note that it is another's."""
        self._good_until = 0.0


class Leases:
    """The leases that this process holds in one store.

    Args:
        keeper: The store's side.
        seconds: How long a lease lasts that is not renewed.
    """

    def __init__(self, keeper: LeaseKeeper, seconds: float = SECONDS) -> None:
        self._keeper = keeper
        self._seconds = seconds
        self._held: dict[str, _Lease] = {}
        self._others: dict[str, str] = {}
        self._left_behind: dict[str, tuple[bytes, ...]] = {}  # nonces of those that may still be in the store

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[bool]:
        """Try once to take a lease, and renew it for as long as the block runs.

        A second thread does not get what this process holds already: the first one may have lost it, and the second
        one's would vouch for both.

        Raises:
            CacheError: The store is away, or does not let us write.
        """
        lease = _Lease(name)
        try:
            good = self._claim(lease) and self._taken(lease)
            if good:
                self._start(lease)
            yield good
        finally:
            if self._held.get(name) is lease:
                del self._held[name]
            lease.over.release()
            if lease.taken and lease.pid == os.getpid():  # a forked child has it by copy only
                self._give_back(lease)

    def still_held(self, name: str) -> bool:
        """Whether a lease of this process is ours for sure. Nothing is sent."""
        lease = self._held.get(name)
        return lease is not None and lease.pid == os.getpid() and lease.is_good

    def is_abandoned(self, name: str) -> bool:
        """Whether a lease was another's when it was last tried, whose process is known here to be dead since.

        Nothing is sent.
        """
        return process_mark.is_dead(self._others.get(name, ""))

    def holder(self, name: str) -> str | None:
        """Who holds a lease, for people; ``None`` also where the store is away."""
        try:
            return self._keeper.holder(name)
        except CacheError:
            return None

    def _claim(self, lease: _Lease) -> bool:
        """Be the only holder of a name in this process. One atomic step: a signal handler may strike in it."""
        other = self._held.setdefault(lease.name, lease)
        if other.pid != lease.pid:  # the parent's, which a forked child has by copy only
            self._held[lease.name] = other = lease
        return other is lease

    def _give_back(self, lease: _Lease) -> None:
        try:
            self._keeper.release(lease.name, lease.nonce)
        except CacheError:  # it ends by itself; until then this process takes its own place
            self._leave_behind(lease)

    def _leave_behind(self, lease: _Lease) -> None:
        nonces = tuple(nonce for nonce in self._left_behind.get(lease.name, ()) if nonce != lease.nonce)
        if len(self._left_behind) >= _AT_ONCE:
            self._left_behind.clear()
        self._left_behind[lease.name] = (*nonces[1 - _OF_ONE :], lease.nonce)

    def _forget(self, name: str, nonces: tuple[bytes, ...]) -> None:
        """What has ended or was replaced; not what another thread has left behind meanwhile."""
        left = tuple(nonce for nonce in self._left_behind.pop(name, ()) if nonce not in nonces)
        if left:
            self._left_behind[name] = left

    def _asked(self, lease: _Lease, *, instead_of: bytes) -> bytes:
        """Whose it is, now that the store was asked for it.

        Where no answer came, the store may have given it to this nonce, which no holder has then. It is given back, and
        remembered as well: the store may come to the question later. A question that was cut off, as by Ctrl-C, is
        remembered alone, for nothing more is sent then.
        """
        asked_at = time.monotonic()
        try:
            return self._keeper.take(lease.name, lease.nonce, holder_here(), self._seconds, instead_of=instead_of)
        except CacheError as error:
            if error.in_doubt:
                self._leave_behind(lease)
                # One that has ended by itself is not worth another wait for a store that does not answer.
                lease.taken = time.monotonic() - asked_at < self._seconds
            raise
        except BaseException:
            self._leave_behind(lease)
            raise

    def _taken(self, lease: _Lease) -> bool:
        """Take it at the store. An answer that was slower than the lease itself is renewed once."""
        asked_at = _now()
        mine = self._left_behind.get(lease.name, ())
        whose = self._asked(lease, instead_of=mine[-1] if mine else b"")
        if whose != lease.nonce and (whose in mine or process_mark.is_dead(_mark_in(whose))):
            asked_at = _now()
            whose = self._asked(lease, instead_of=whose)
        self._forget(lease.name, mine)
        if whose != lease.nonce:
            self._note_other(lease.name, _mark_in(whose))
            return False
        self._others.pop(lease.name, None)
        lease.taken = True
        lease.lasts(asked_at, self._seconds)
        if not lease.is_good:
            asked_at = _now()
            if self._keeper.renew(lease.name, lease.nonce, self._seconds):
                lease.lasts(asked_at, self._seconds)
        return lease.is_good

    def _note_other(self, name: str, mark: str) -> None:
        if len(self._others) >= _AT_ONCE:
            self._others.clear()  # a process that waits notes it again with the next try
        self._others[name] = mark

    def _start(self, lease: _Lease) -> None:
        if sys.is_finalizing():
            return  # it would never run; the lease lasts as long as it lasts
        # Not one of `threading`'s: the code that waits for this work may have interrupted the start of a thread. In
        # this context: a finalizer that runs in there does not wait for the work, whose lease would end meanwhile.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(contextvars.copy_context().run, (self._renew, lease))

    def _renew(self, lease: _Lease) -> None:
        while not lease.over.acquire(timeout=self._seconds / _PART):
            asked_at = _now()
            try:
                ours = self._keeper.renew(lease.name, lease.nonce, self._seconds)
            except CacheError as error:
                _log.debug("cache", "the lease on %s could not be renewed: %s", lease.name[:12], error.message)
                continue  # it may be reached before the lease ends
            except Exception as error:  # noqa: BLE001 - the thread has no caller who could be told
                _log.warning("cache", "the lease on %s is not renewed: %s", lease.name[:12], type(error).__name__)
                return
            if not ours:
                if lease.over.acquire(blocking=False):
                    return  # its holder has released it while this was under way
                lease.lost()
                _log.warning(
                    "cache", "the lease on %s was lost: this process stood still for too long", lease.name[:12]
                )
                return
            lease.lasts(asked_at, self._seconds)


def _mark_in(nonce: bytes) -> str:
    return nonce[_RANDOM:].decode("ascii", errors="replace")


def _now() -> tuple[float, float]:
    return time.monotonic(), time.time()


def holder_here() -> str:
    """This process, for people on other hosts."""
    return f"host {socket.gethostname()}, process {os.getpid()}"
