"""Leases: the locks of a store that hosts share.

A lease is a row or key with a random nonce and an end, which the store judges by its own clock. It rides every
connection pooler, holds no connection open, and ends by itself when its holder dies. While the holder lives, a thread
renews it, so it is independent of how long the token endpoint takes.

A holder that was stopped for longer than the lease has lost it and may not know. So the end is also kept here, on the
monotonic clock and counted from *before* the store was asked: `Leases.still_held` errs on the safe side.
"""

import _thread
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from lakekey import _log
from lakekey.errors import CacheError

SECONDS = 10.0
_PART = 3.0  # a lease is renewed every third of it


class LeaseKeeper(Protocol):
    """The store's side. Each call is one statement that names the nonce."""

    def take(self, name: str, nonce: bytes, holder: str, seconds: float) -> bool:
        """Take a lease that is free, has ended, or is already this nonce's. Returns whether it is ours."""

    def renew(self, name: str, nonce: bytes, seconds: float) -> bool:
        """Let a lease of this nonce last so many seconds from now. Returns whether it was still ours."""

    def release(self, name: str, nonce: bytes) -> None:
        """Remove the lease, if it is this nonce's."""


class _Lease:
    """One lease of this process.

    Attributes:
        good_until: Until when it is ours for sure, by `time.monotonic`.
        over: A lock that is open when its holder is done.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nonce = os.urandom(16)
        self.pid = os.getpid()
        self.good_until = 0.0
        self.over = _thread.allocate_lock()
        self.over.acquire()


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

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[bool]:
        """Try once to take a lease, and renew it for as long as the block runs.

        Raises:
            CacheError: The store is away, or does not let us write.
        """
        lease = _Lease(name)
        asked_at = time.monotonic()
        if not self._keeper.take(name, lease.nonce, holder_here(), self._seconds):
            yield False
            return
        lease.good_until = asked_at + self._seconds
        self._held[name] = lease
        self._start(lease)
        try:
            yield True
        finally:
            if self._held.get(name) is lease:
                del self._held[name]
            lease.over.release()
            if lease.pid == os.getpid():  # a forked child has it by copy only
                with contextlib.suppress(CacheError):  # it ends by itself
                    self._keeper.release(name, lease.nonce)

    def still_held(self, name: str) -> bool:
        """Whether a lease of this process is ours for sure. Nothing is sent."""
        lease = self._held.get(name)
        return lease is not None and lease.pid == os.getpid() and time.monotonic() < lease.good_until

    def _start(self, lease: _Lease) -> None:
        if sys.is_finalizing():
            return  # it would never run; the lease lasts as long as it lasts
        # Not one of `threading`'s: the code that waits for this work may have interrupted the start of a thread.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(self._renew, (lease,))

    def _renew(self, lease: _Lease) -> None:
        while not lease.over.acquire(timeout=self._seconds / _PART):
            asked_at = time.monotonic()
            try:
                ours = self._keeper.renew(lease.name, lease.nonce, self._seconds)
            except CacheError as error:
                _log.debug("cache", "the lease on %s could not be renewed: %s", lease.name[:12], error.message)
                continue  # it may be reached before the lease ends
            except Exception as error:  # noqa: BLE001 - the thread has no caller who could be told
                _log.warning("cache", "the lease on %s is not renewed: %s", lease.name[:12], type(error).__name__)
                return
            if not ours:
                lease.good_until = 0.0
                _log.warning(
                    "cache", "the lease on %s was lost: this process stood still for too long", lease.name[:12]
                )
                return
            lease.good_until = asked_at + self._seconds


def holder_here() -> str:
    """This process, for people on other hosts."""
    return f"host {socket.gethostname()}, process {os.getpid()}"
