"""A store on a server, as far as every kind of server does it alike: leases, places, notes by name, and the list."""

import contextlib
from abc import ABC, abstractmethod

from lakekey.cache.stores.alike import changing_key
from lakekey.cache.stores.lease import Leases
from lakekey.cache.stores.places import name_of, without_credentials
from lakekey.cache.stores.store import Reading

_PAGE = 1000  # names in one answer
#: Seconds for one statement or command: a slow store is slow, and not away.
OPERATION = 15.0


class ServerStore(ABC):
    """What `PostgresqlStore` and `RedisStore` share of a `lakekey.cache.stores.store.SharedStore`.

    Args:
        address: Where the server is.
        leases: Its locks.
    """

    shared = True
    spans_machines = True

    def __init__(self, address: str, leases: Leases) -> None:
        self._leases = leases
        self.where = without_credentials(address)
        self.name = name_of(address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where})"

    @abstractmethod
    def _read(self, kind: str, name: str) -> Reading:
        """What the server has of a kind (``entry``, ``note``) under a name, with the server's time."""

    @abstractmethod
    def _ids(self, after: str, limit: int) -> list[str]:
        """The next ids of entries in order, at most so many."""

    def read(self, entry_id: str) -> Reading:
        """See `Store.read`."""
        return self._read("entry", entry_id)

    def get(self, entry_id: str) -> bytes | None:
        """See `Store.get`."""
        return self._read("entry", entry_id).envelope

    def place(self, entry_id: str) -> str:
        """See `Store.place`."""
        return f"entry {entry_id[:12]} in {self.where}"

    def removal(self, entry_id: str) -> str:
        """See `Store.removal`."""
        return f"lakekey logout {entry_id[:12]}"

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`; in pages, so that no answer is large."""
        found: list[str] = []
        while limit is None or len(found) < limit:
            page = min(_PAGE, limit - len(found)) if limit is not None else _PAGE
            ids = self._ids(after, page)
            found += ids
            if len(ids) < page:
                break
            after = ids[-1]
        return found

    def lock(self, entry_id: str, *, to_write: bool = True) -> "contextlib.AbstractContextManager[bool]":  # noqa: ARG002
        """See `Store.lock`. Taking a lease is a write, which a server that is full or read-only refuses."""
        return self._leases.hold(entry_id)

    def still_locked(self, entry_id: str) -> bool:
        """See `Store.still_locked`."""
        return self._leases.still_held(entry_id)

    def is_abandoned(self, entry_id: str) -> bool:
        """See `Store.is_abandoned`."""
        return self._leases.is_abandoned(entry_id)

    def holder(self, entry_id: str) -> str | None:
        """See `Store.holder`."""
        return self._leases.holder(entry_id)

    def read_note(self, name: str) -> bytes | None:
        """See `KeyPlace.read_note`."""
        return self._read("note", name).envelope

    def note_place(self, name: str) -> str:
        """See `KeyPlace.note_place`."""
        return f"note {name} in {self.where}"

    def changing_key(self) -> "contextlib.AbstractContextManager[None]":
        """See `KeyPlace.changing_key`."""
        return changing_key(self._leases, self.where)
