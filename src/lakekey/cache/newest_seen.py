"""The newest bytes that this process has seen of each entry: a store that hosts share may go back in time."""

from typing import TYPE_CHECKING

from lakekey import _log
from lakekey.cache.entry import Stored

if TYPE_CHECKING:
    from lakekey.cache.stores.store import Store

_REMEMBERED = 200  # entries of a shared store, of a few kilobytes each


class NewestSeen:
    """The newest bytes of the entries that this process read or wrote last."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, bytes]] = {}

    def note(self, entry_id: str, generation: int, envelope: bytes) -> None:
        """Keep the bytes of an entry, unless newer ones are kept."""
        if generation >= self._newest.get(entry_id, (0, b""))[0]:
            self._newest.pop(entry_id, None)
            self._newest[entry_id] = generation, envelope
            while len(self._newest) > _REMEMBERED:  # of a process that serves many people, the latest ones
                self._newest.pop(next(iter(self._newest)), None)

    def heal(self, store: "Store", entry_id: str, stored: Stored) -> bool:
        """Offer a store that went back in time the newer bytes; see `Cache.heal`."""
        generation, envelope = self._newest.get(entry_id, (0, b""))
        if stored.entry is None or generation <= stored.entry.generation:
            return False
        _log.warning("cache", "%s went back in time; the newer entry %s is put there again", store.where, entry_id[:12])
        store.put(entry_id, envelope, replaces=stored.envelope)
        return True
