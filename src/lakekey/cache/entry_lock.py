"""Waiting for an entry's lock: the one way, for all that write to the cache."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lakekey.errors import LockTimeout

if TYPE_CHECKING:
    from lakekey.cache.cache import Cache, Stored

_SHORTEST_POLL = 0.01
_LONGEST_POLL = 0.25  # the lock of a killed holder is taken over within a second


@contextlib.contextmanager
def waited_for(
    cache: "Cache", entry_id: str, patience: float, to_write: bool, pause: Callable[[float], None]
) -> "Iterator[Stored]":
    """See `Cache.locked`."""
    arrived = time.monotonic()
    while True:
        with cache.lock(entry_id, to_write=to_write) as held:
            if held:
                yield cache.read(entry_id)
                return
        waited = time.monotonic() - arrived
        if waited > patience:
            raise LockTimeout(
                f"{cache.store.holder(entry_id) or 'another process'} holds entry {entry_id[:12]} of "
                f"{cache.store.where} for more than {patience:g} s",
                hint="wait for it, then try again",
            )
        # In proportion to the wait so far: a crowd that polled faster would take the processor from the holder.
        poll = min(_LONGEST_POLL, max(_SHORTEST_POLL, waited / 4))
        pause(poll * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiters, guards nothing
