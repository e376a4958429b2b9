"""A store's refusals of one change, which is tried again for a bounded time."""

from __future__ import annotations

import time

from lakekey._imports import LOADING
from lakekey.errors import CacheWriteFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lakekey.cache.stores.store import Store

_TRIES = 4  # at least, also where each one takes longer than the patience
_PATIENCE = 20.0
_PAUSE = 0.05  # seconds: whatever was first is through by then, and a store that says no is not asked in a hot loop


class Refusals:
    """The noes of a store to one change. Each has a reason, such as a lock that did not hold, unless it does not end.

    Args:
        store: Which store.
        did: What it has done by the end, in words, as in "took none of the writes of a new token".
        patience: How long it is asked, in seconds.
        pause: Waits before the next try, for the seconds that it is given; ``None``: sleeps.
    """

    def __init__(
        self,
        store: Store,
        did: str,
        *,
        patience: float = _PATIENCE,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._store = store
        self._did = did
        self._until = time.monotonic() + patience
        self._left = _TRIES
        self.pause = pause or time.sleep

    def wait(self, seconds: float = _PAUSE) -> None:
        """Wait before the next try.

        Raises:
            CacheWriteFailed: It was asked for long enough.
        """
        self._left -= 1
        if self._left <= 0 and time.monotonic() > self._until:
            with LOADING:
                from lakekey._commands import check_store

            raise CacheWriteFailed(
                f"{self._store.where} {self._did}, and gave no error",
                hint=f"try again; if it lasts, run: {check_store(shared=self._store.shared)}",
            )
        self.pause(seconds)
