"""Stores in memory that behave, as far as sessions are concerned, as stores of several machines do."""

import threading
import time
from collections.abc import Sequence

from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.store import Note, Reading
from lakekey.errors import StoreUnavailable


class Elsewhere(MemoryStore):
    """A store whose lock may be lost while its holder lives, as on a network file system."""

    spans_machines = True


class Shared(MemoryStore):
    """A store that hosts share.

    Attributes:
        away: Whether it cannot be reached.
    """

    shared = True
    spans_machines = True
    away = False

    def get(self, entry_id: str) -> bytes | None:
        """See `Store.get`."""
        if self.away:
            raise StoreUnavailable("the store is away", hint="start it")
        return super().get(entry_id)

    def read(self, entry_id: str) -> Reading:
        """See `Store.read`."""
        return Reading(self.get(entry_id), time.time())

    def put(
        self,
        entry_id: str,
        envelope: bytes,
        *,
        replaces: bytes | None,
        synced: bool = True,
        under: Note | None = None,
    ) -> bool:
        """See `SharedStore.put`."""
        if under is not None and self.read_note(under.name) != under.content:
            return False
        return super().put(entry_id, envelope, replaces=replaces)

    def read_page(self, *, after: str, limit: int) -> Sequence[tuple[str, Reading]]:
        """See `SharedStore.read_page`."""
        return [(entry_id, self.read(entry_id)) for entry_id in self.list(after=after, limit=limit)]

    def swap_page(self, swaps: Sequence[tuple[str, bytes, bytes]], *, under: Note | None = None) -> set[str]:
        """See `SharedStore.swap_page`."""
        return {
            entry_id
            for entry_id, replaces, envelope in swaps
            if not self._locks.get(entry_id, _FREE).locked()
            and self.put(entry_id, envelope, replaces=replaces, under=under)
        }


_FREE = threading.Lock()
