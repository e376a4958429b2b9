"""A store that lives and dies with its process (``LAKEKEY_STORE=memory:``): nothing is written anywhere.

A finalizer or a signal handler may ask for a header while its own thread writes here. So no step waits for a lock: a
write is decided by one operation that the interpreter makes atomic.
"""

import contextlib
import os
import threading
from collections.abc import Iterator

from lakekey.cache.stores.findings import Finding
from lakekey.cache.stores.store import Reading
from lakekey.errors import LockTimeout

_KEY_PATIENCE = 60.0  # seconds
_NEXT = "next"


class _Version:
    """One value of a name, and what replaced it."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.next: dict[str, _Version] = {}  # one at most: `setdefault` decides which


class _Values:
    """Values by name, changed by compare-and-swap."""

    def __init__(self) -> None:
        self._known: dict[str, _Version] = {}  # the newest version, or one from which the newest is reached

    def get(self, name: str) -> bytes | None:
        return self._newest(name).value if name in self._known else None

    def swap(self, name: str, value: bytes | None, *, replaces: bytes | None) -> bool:
        newest, mine = self._newest(name), _Version(value)
        if newest.value != replaces or newest.next.setdefault(_NEXT, mine) is not mine:
            return False
        self._known[name] = mine
        return True

    def set(self, name: str, value: bytes | None) -> None:
        while not self.swap(name, value, replaces=self.get(name)):
            pass

    def names(self) -> list[str]:
        return sorted(name for name in list(self._known) if self.get(name) is not None)

    def _newest(self, name: str) -> _Version:
        version = self._known.setdefault(name, _Version(None))
        while version.next:
            version = version.next[_NEXT]
        return version


class MemoryStore:
    """A `lakekey.cache.stores.store.Store` in memory, for processes that must leave nothing behind."""

    where = name = "memory:"
    shared = False
    spans_machines = False

    def __init__(self) -> None:
        self._envelopes = _Values()
        self._notes = _Values()
        self._unlock_all()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock_all)  # the threads that held them stayed behind

    def _unlock_all(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._changing_key = threading.Lock()
        self._changed_by = 0

    def prepare(self) -> None:
        """See `Store.prepare`: nothing has to be made."""

    def read(self, entry_id: str) -> Reading:
        """See `Store.read`."""
        return Reading(self.get(entry_id))

    def get(self, entry_id: str) -> bytes | None:
        """See `Store.get`."""
        return self._envelopes.get(entry_id)

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None, synced: bool = True) -> bool:  # noqa: ARG002
        """See `Store.put`."""
        return self._envelopes.swap(entry_id, envelope, replaces=replaces)

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""
        return self._envelopes.swap(entry_id, None, replaces=replaces)

    def set_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        """See `Store.set_aside`: dropped, since nothing could look at it later."""
        return "nowhere" if envelope is not None and self.delete(entry_id, replaces=envelope) else None

    def place(self, entry_id: str) -> str:  # noqa: ARG002
        """See `Store.place`."""
        return self.where

    def removal(self, entry_id: str) -> str:  # noqa: ARG002
        """See `Store.removal`."""
        return "end the process"

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`."""
        return [entry_id for entry_id in self._envelopes.names() if entry_id > after][:limit]

    def together(self) -> "contextlib.AbstractContextManager[None]":
        """See `Store.together`: there is no connection."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def lock(self, entry_id: str, *, to_write: bool = True) -> Iterator[bool]:  # noqa: ARG002
        """See `Store.lock`."""
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

    def is_abandoned(self, entry_id: str) -> bool:  # noqa: ARG002
        """See `Store.is_abandoned`: such a lock is free."""
        return False

    def read_note(self, name: str) -> bytes | None:
        """See `KeyPlace.read_note`."""
        return self._notes.get(name)

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        self._notes.set(name, content)

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`."""
        return self._notes.swap(name, content, replaces=replaces)

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        self._notes.set(name, None)

    def note_place(self, name: str) -> str:
        """See `KeyPlace.note_place`."""
        return f"{self.where}{name}"

    @contextlib.contextmanager
    def changing_key(self) -> Iterator[None]:
        """See `KeyPlace.changing_key`."""
        # Code that runs inside a change of the key would wait for itself.
        inside = self._changed_by == threading.get_ident()
        if inside or not self._changing_key.acquire(timeout=_KEY_PATIENCE):
            raise LockTimeout("the key of the cache in memory is being changed", hint="try again when that is done")
        self._changed_by = threading.get_ident()
        try:
            yield
        finally:
            self._changed_by = 0
            self._changing_key.release()

    def schema(self) -> str:
        """See `Store.schema`: nothing has to be run."""
        return ""

    def set_up(self) -> None:
        """See `Store.set_up`."""
        self.prepare()

    def examine(self) -> Iterator[Finding]:
        """See `Store.examine`: ``lakekey doctor`` has nothing to look at."""
        return iter(())
