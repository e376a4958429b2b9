"""Waiting for an entry's lock: the one way, for all that write to the cache."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from lakekey.errors import LockTimeout

_SHORTEST_POLL = 0.01
_LONGEST_POLL = 0.25  # the lock of a killed holder is taken over within a second
T = TypeVar("T")


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
        with lock() as held:
            if held:
                yield read()
                return
        waited = time.monotonic() - arrived
        if waited > patience:
            raise LockTimeout(f"{who_and_what()} for more than {patience:g} s", hint="wait for it, then try again")
        # In proportion to the wait so far: a crowd that polled faster would take the processor from the holder.
        poll = min(_LONGEST_POLL, max(_SHORTEST_POLL, waited / 4))
        pause(poll * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiters, guards nothing
