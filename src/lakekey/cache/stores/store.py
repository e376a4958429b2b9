"""What a store of sealed entries must do. The file store is the first; stores for fleets follow the same protocol."""

from contextlib import AbstractContextManager
from typing import Protocol


class Store(Protocol):
    """Keeps envelopes by entry id, and one lock for each.

    ``put`` and ``delete`` are compare-and-swaps on the exact bytes that they replace: an envelope's salt and nonce
    are random, so equal bytes mean the same write. Callers hold the entry's lock around read, exchange and write.
    """

    @property
    def where(self) -> str:
        """The store's place, for people: a path or an address without credentials."""

    def prepare(self) -> None:
        """Make what is missing, and refuse what is not safe.

        Raises:
            UnsafeCache: Others could read or change what is stored.
            CacheWriteFailed: It cannot be made.
        """

    def get(self, entry_id: str) -> bytes | None:
        """The stored envelope, or ``None``. Takes no lock.

        Raises:
            CacheError: There is one that cannot or must not be read.
        """

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None) -> bool:
        """Store durably, if ``replaces`` is what is there now (``None``: nothing).

        Returns:
            Whether it was stored.

        Raises:
            CacheWriteFailed: It could not be stored; what was there before still is.
        """

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """Remove durably, if ``replaces`` is what is there now. Returns whether it was removed.

        Raises:
            CacheWriteFailed: It could not be removed.
        """

    def set_aside(self, entry_id: str, envelope: bytes) -> str | None:
        """Move a bad envelope out of the way, and nothing else that has come in its place.

        Returns:
            Where to, or ``None`` if it is there no more, or is being dealt with by the holder of the entry's lock.

        Raises:
            CacheWriteFailed: It cannot be moved.
        """

    def place(self, entry_id: str) -> str:
        """Where an entry is, for people."""

    def list(self) -> list[str]:
        """The ids of the entries that are stored."""

    def lock(self, entry_id: str, *, to_write: bool = True) -> AbstractContextManager[bool]:
        """Try once to lock an entry, without waiting; the context's value says whether it succeeded.

        Args:
            entry_id: Which.
            to_write: Whether something is to be stored under it, so that there has to be room; removing needs none.

        Raises:
            CacheWriteFailed: What would be stored under the lock could not be stored.
        """

    def holder(self, entry_id: str) -> str | None:
        """Who holds the entry's lock, for people (``process 4711``), where known."""
