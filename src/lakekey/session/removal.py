"""Removing an entry as it is: also one that cannot be opened, and so has no session to sign out of."""

import functools
import os
import time
from typing import TYPE_CHECKING

from lakekey._commands import check_store
from lakekey._imports import LOADING
from lakekey.cache.cache import Cache
from lakekey.cache.opening import cache_directory
from lakekey.errors import CacheError
from lakekey.observability import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakekey.cache.entry import Entry
    from lakekey.cache.stores.store import Store


_PAUSE = 0.05  # seconds before an entry that is there again is removed once more


def remove(cache: Cache, name: str, only: "Callable[[Entry], bool] | None" = None, *, patience: float = 30.0) -> bool:
    """Remove an entry as it is, whether or not it can be opened.

    Args:
        cache: The store.
        name: The entry's name.
        only: Whether an entry is the one that is meant, asked under its lock; ``None``: any is, and none is opened.
        patience: Seconds that another holder is waited for.

    Returns:
        Whether there was one.

    Raises:
        LockTimeout: Another process holds it.
        CacheError: It changes each time, or the store does not remove it.
    """
    lock = functools.partial(cache.lock, name, to_write=False)

    def read() -> bytes | None:
        if only is None:
            return cache.store.get(name)
        stored = cache.read(name)
        return stored.envelope if stored.entry is not None and only(stored.entry) else None

    def who_and_what() -> str:
        return f"{cache.store.holder(name) or 'another process'} has held the session"

    with LOADING:
        from lakekey.cache.entry_lock import wait_for

    with wait_for(lock, read, who_and_what, patience, time.sleep) as found:
        envelope = found
        until = time.monotonic() + patience
        while envelope is not None and not cache.delete(name, replaces=envelope):
            if time.monotonic() > until:
                raise CacheError(
                    f"the entry {name[:12]} in {cache.store.where} cannot be removed: it is there again each time",
                    hint="end the programs that use this session, and try again; or run: "
                    f"{check_store(shared=cache.store.shared)}",
                )
            time.sleep(_PAUSE)
            envelope = read()  # not every store's lock keeps all others out
        if envelope is None:
            return False
        forget_near(cache.store, name)
    audit.record(audit.ADMINISTRATION, action="entry_removed", entry=name, store=cache.store.where)
    return True


def forget_near(store: "Store", name: str) -> None:
    """Forget this host's copy of an entry of a shared store; other hosts' are compared with the store in a while."""
    if store.shared:
        with LOADING:
            from lakekey.cache.near import NearCopies

        NearCopies(os.environ, cache_directory(os.environ), store.name).drop(name)
