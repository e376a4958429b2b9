"""A store that lives and dies with its process (``LAKEKEY_STORE=memory:``): nothing is written anywhere."""

import contextlib
import os
import threading
from collections.abc import Iterator

from lakekey.cache.stores.findings import Finding
from lakekey.cache.stores.store import Reading


class MemoryStore:
    """A `lakekey.cache.stores.store.Store` in memory, for processes that must leave nothing behind."""

    where = "memory:"
    shared = False

    def __init__(self) -> None:
        self._envelopes: dict[str, bytes] = {}
        self._notes: dict[str, bytes] = {}
        self._unlock_all()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock_all)  # the threads that held them stayed behind

    def _unlock_all(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._changing_key = threading.Lock()

    def prepare(self) -> None:
        """See `Store.prepare`: nothing has to be made."""

    def read(self, entry_id: str) -> Reading:
        """See `Store.read`."""
        return Reading(self.get(entry_id))

    def get(self, entry_id: str) -> bytes | None:
        """See `Store.get`."""
        return self._envelopes.get(entry_id)

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None) -> bool:
        """See `Store.put`."""
        with self._guard:
            if self._envelopes.get(entry_id) != replaces:
                return False
            self._envelopes[entry_id] = envelope
            return True

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""
        with self._guard:
            if self._envelopes.get(entry_id) != replaces:
                return False
            del self._envelopes[entry_id]
            return True

    def set_aside(self, entry_id: str, envelope: bytes) -> str | None:
        """See `Store.set_aside`: dropped, since nothing could look at it later."""
        return "nowhere" if self.delete(entry_id, replaces=envelope) else None

    def place(self, entry_id: str) -> str:  # noqa: ARG002
        """See `Store.place`."""
        return self.where

    def removal(self, entry_id: str) -> str:  # noqa: ARG002
        """See `Store.removal`."""
        return "end the process"

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`."""
        return [entry_id for entry_id in sorted(self._envelopes) if entry_id > after][:limit]

    @contextlib.contextmanager
    def lock(self, entry_id: str, *, to_write: bool = True) -> Iterator[bool]:  # noqa: ARG002
        """See `Store.lock`."""
        with self._guard:
            lock = self._locks.setdefault(entry_id, threading.Lock())
        held = lock.acquire(blocking=False)
        try:
            yield held
        finally:
            if held:
                lock.release()

    def holder(self, entry_id: str) -> str | None:  # noqa: ARG002
        """See `Store.holder`: always this process."""
        return "this process"

    def still_locked(self, entry_id: str) -> bool:  # noqa: ARG002
        """See `Store.still_locked`."""
        return True

    def read_note(self, name: str) -> bytes | None:
        """See `KeyPlace.read_note`."""
        return self._notes.get(name)

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        self._notes[name] = content

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`."""
        with self._guard:
            if self._notes.get(name) != replaces:
                return False
            self._notes[name] = content
            return True

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        self._notes.pop(name, None)

    def note_place(self, name: str) -> str:
        """See `KeyPlace.note_place`."""
        return f"{self.where}{name}"

    @contextlib.contextmanager
    def changing_key(self) -> Iterator[None]:
        """See `KeyPlace.changing_key`."""
        with self._changing_key:
            yield

    def schema(self) -> str:
        """See `Store.schema`: nothing has to be run."""
        return ""

    def set_up(self) -> None:
        """See `Store.set_up`."""
        self.prepare()

    def examine(self) -> Iterator[Finding]:
        """See `Store.examine`: ``lakekey doctor`` has nothing to look at."""
        return iter(())
