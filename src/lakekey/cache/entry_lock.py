"""An entry's lock: one attempt at it, and waiting for it. Everything that writes to the cache uses it."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from lakekey._inside_work import as_work
from lakekey.cache import unwritten
from lakekey.cache.entry import Entry, Stored
from lakekey.cache.sealed_store import SealedStore
from lakekey.errors import CacheWriteFailed, LockTimeout, StoreUnavailable

_SHORTEST_POLL = 0.01
LONGEST_POLL = 0.25  # the lock of a killed holder is taken over within a second
T = TypeVar("T")


def next_try(waited: float, longest: float = LONGEST_POLL, shortest: float = 0.0) -> float:
    """Seconds until a lock is tried again.

    They grow with the wait so far, since a crowd that polled faster would take the processor from the holder.

    Args:
        waited: The wait so far, in seconds.
        longest: At most about so many seconds.
        shortest: At least about so many, unless ``longest`` is less.
    """
    return min(longest, max(_SHORTEST_POLL, shortest, waited / 4)) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads the waiters


@contextlib.contextmanager
def wait_for(
    lock: Callable[[], AbstractContextManager[bool]],
    read: Callable[[], T],
    who_and_what: Callable[[], str],
    patience: float,
    pause: Callable[[float], None],
) -> Iterator[T]:
    """Take a lock, waiting for it, and read what it guards.

    Args:
        lock: Tries once to take it, as `Store.lock` does.
        read: Reads what it guards.
        who_and_what: The holder and what it holds, for people.
        patience: How long to wait, in seconds.
        pause: Waits for some seconds between two tries.

    Raises:
        LockTimeout: Others held it all the time.
    """
    arrived = time.monotonic()
    while True:
        # What renews needs this lock, so it must not be waited for from under it.
        with as_work(), lock() as held:
            if held:
                yield read()
                return
        waited = time.monotonic() - arrived
        if waited > patience:
            raise LockTimeout(f"{who_and_what()} for more than {patience:g} s", hint="wait for it, then try again")
        pause(next_try(waited))


@contextlib.contextmanager
def attempt(sealed: SealedStore, entry_id: str, read: Callable[[], Stored], *, to_write: bool) -> Iterator[bool]:
    """Try once to lock an entry; see `Cache.lock`.

    Args:
        sealed: The store.
        entry_id: Which.
        read: Reads the entry.
        to_write: Whether an exchange's answer is to be stored under the lock.
    """
    trouble = _trouble(sealed) if to_write else None
    with contextlib.ExitStack() as stack:
        try:
            if trouble is not None:
                raise trouble
            held = stack.enter_context(sealed.store.lock(entry_id, to_write=to_write))
            if held and to_write and sealed.clock is None:
                sealed.current_ring()  # what keeps us from sealing is said before a token is spent, not after
        except StoreUnavailable:
            if not sealed.replaceable:
                raise
            held = stack.enter_context(unwritten.lock(entry_id))
        except CacheWriteFailed as error:
            if to_write and _would_spend(sealed, entry_id, read().entry):
                error.message += "; the session is not renewed, since its next refresh token could not be kept"
                raise
            held = stack.enter_context(unwritten.lock(entry_id))
        yield held


def _trouble(sealed: SealedStore) -> StoreUnavailable | CacheWriteFailed | None:
    """What keeps us from sealing now, where the session may go on all the same."""
    try:
        sealed.begin()
        sealed.require_same_key()
    except StoreUnavailable as error:
        return error
    except CacheWriteFailed as error:  # there is no key yet, and none can be made
        if not sealed.replaceable:
            raise
        return error
    return None


def _would_spend(sealed: SealedStore, entry_id: str, entry: Entry | None) -> bool:
    """Whether an exchange would cost others the refresh token that is stored."""
    spends = entry is not None and bool(entry.refresh_token) and entry.rotates is not False
    return spends and not unwritten.holds(sealed.store.where, entry_id)
