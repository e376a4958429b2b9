"""The file store: one sealed file and one lock file an entry, in a directory that only its owner can enter."""

from __future__ import annotations

import contextlib
import errno
import os
import time

from lakekey._imports import LOADING
from lakekey.cache import private_files
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, UnsafeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakekey.cache.stores.file_lock import FileLocks
    from lakekey.cache.stores.findings import Finding
    from lakekey.cache.stores.store import Reading

_SUFFIX = ".entry"
_GIVEN_UP = 600.0  # seconds after which a temporary file has no writer any more


class FileStore:
    """A `lakekey.cache.stores.store.Store` of files. Its cost does not grow with the number of entries.

    Args:
        directory: The cache directory; entries live in its ``entries`` folder.
    """

    shared = False

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._entries = os.path.join(directory, "entries")
        self._made_locks: dict[str, FileLocks] = {}  # one at most; `setdefault` decides which

    @property
    def spans_machines(self) -> bool:
        """See `Store`: on a network file system."""
        with LOADING:
            from lakekey.cache.stores.network_files import is_elsewhere

        return is_elsewhere(self._directory)

    @property
    def where(self) -> str:
        """The cache directory."""
        return self._directory

    @property
    def name(self) -> str:
        """The cache directory."""
        return self._directory

    def check(self) -> None:
        """Refuse an unsafe directory, as far as there is one. Nothing is made.

        Raises:
            UnsafeCache: Others could read or change what is in it, or put another in its place.
            CacheWriteFailed: It cannot be reached.
            ConfigurationError: Its name is longer than any directory's here.
        """
        try:
            for directory in (self._directory, self._entries):
                private_files.ensure_directory(directory, create=False)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # nothing that is freed or fixed at that place would help
                raise ConfigurationError(
                    f"the name of the cache directory is too long for this system: {self._directory[:40]}…",
                    hint="set LAKEKEY_CACHE_DIR to a shorter one",
                ) from None
            raise _write_failed(self._directory, error) from None

    def prepare(self) -> None:
        """Make the directories where they are missing, and refuse unsafe ones.

        Raises:
            UnsafeCache: Others could read or change what is in them.
            CacheWriteFailed: They cannot be made.
        """
        try:
            private_files.ensure_directory(self._directory)
            private_files.ensure_directory(self._entries, parents=False)
        except OSError as error:
            raise _write_failed(self._directory, error) from None

    def read(self, entry_id: str) -> Reading:
        """See `Store.read`."""
        with LOADING:
            from lakekey.cache.stores.store import Reading  # not on the warm path, which calls `get`

        return Reading(self.get(entry_id))

    def get(self, entry_id: str) -> bytes | None:
        """See `Store.get`."""
        try:
            return private_files.read(self._path(entry_id))
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CacheError(
                f"{self._path(entry_id)} cannot be read: {reason}",
                hint=private_files.remedy(self._path(entry_id), error),
            ) from None

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None, synced: bool = True) -> bool:
        """See `Store.put`. Comparing and renaming are one step because the caller holds the entry's lock."""
        with LOADING:
            from lakekey.cache import durable_files

        if self.get(entry_id) != replaces:
            return False
        path = self._path(entry_id)
        mark = self._locks.mark(entry_id) if self._made_locks else None  # what was never locked needs no lock code
        try:
            try:
                durable_files.replace(path, envelope, mark=mark, synced=synced)
            except FileNotFoundError:  # the directory was taken away under our lock
                self.prepare()
                durable_files.replace(path, envelope, mark=mark, synced=synced)
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return True

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""
        with LOADING:
            from lakekey.cache import durable_files

        if self.get(entry_id) != replaces:
            return False
        try:
            durable_files.remove(self._path(entry_id))
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return True

    def set_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        """See `Store.set_aside`: renamed to ``<id>.bad``, in place of an earlier one.

        Under the entry's lock: without it, a sibling could put a good entry between the look and the renaming.
        """
        if self._locks.is_held_here(entry_id):
            return self._move_aside(entry_id, envelope)
        with self.lock(entry_id) as held:
            return self._move_aside(entry_id, envelope) if held else None

    def place(self, entry_id: str) -> str:
        """See `Store.place`."""
        return self._path(entry_id)

    def removal(self, entry_id: str) -> str:
        """See `Store.removal`."""
        with LOADING:
            from lakekey._commands import remove

        return remove(self._path(entry_id))

    def _move_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        if self._cannot_be_read(entry_id) if envelope is None else self.get(entry_id) == envelope:
            return self._rename_aside(entry_id)
        return None

    def _cannot_be_read(self, entry_id: str) -> bool:
        """Whether there is a file that cannot or must not be read, and not for a moment only."""
        try:
            private_files.read(self._path(entry_id))
        except UnsafeCache:
            return True
        except OSError as error:
            return error.errno in (errno.EACCES, errno.EPERM, errno.EIO)
        return False

    def _rename_aside(self, entry_id: str) -> str:
        aside = self._path(entry_id, ".bad")
        try:
            private_files.patiently(lambda: os.replace(self._path(entry_id), aside), denied=True)
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return aside

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`. It looks at every file anyway, so it also sweeps up after writers that were killed."""
        with LOADING:
            from lakekey.cache import durable_files

        durable_files.sweep(self._entries, time.time() - _GIVEN_UP)
        try:
            names = private_files.patiently(lambda: os.listdir(self._entries))
        except FileNotFoundError:
            return []
        ids = sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return [entry_id for entry_id in ids if entry_id > after][:limit]

    def together(self) -> contextlib.AbstractContextManager[None]:
        """See `Store.together`: there is no connection."""
        return contextlib.nullcontext()

    def lock(self, entry_id: str, *, to_write: bool = True) -> contextlib.AbstractContextManager[bool]:
        """See `Store.lock`. The kernel frees the lock of a process that dies; the file stays and means nothing."""
        return self._locks.entry(entry_id, to_write=to_write)

    def read_note(self, name: str) -> bytes | None:
        """See `KeyPlace.read_note`."""
        try:
            return private_files.read(self.note_place(name))
        except FileNotFoundError:
            return None

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        with LOADING:
            from lakekey.cache import durable_files

        durable_files.replace(self.note_place(name), content)

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`. It is one step because the caller holds `changing_key`."""
        if self.read_note(name) != replaces:
            return False
        self.write_note(name, content)
        return True

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        with LOADING:
            from lakekey.cache import durable_files

        durable_files.remove(self.note_place(name))

    def note_place(self, name: str) -> str:
        """See `KeyPlace.note_place`."""
        return os.path.join(self._directory, name)

    def changing_key(self) -> contextlib.AbstractContextManager[None]:
        """See `KeyPlace.changing_key`."""
        return self._locks.key(self.note_place("cache.lock"))

    def still_locked(self, entry_id: str) -> bool:  # noqa: ARG002
        """See `Store.still_locked`: the kernel takes no lock away."""
        return True

    def is_abandoned(self, entry_id: str) -> bool:  # noqa: ARG002
        """See `Store.is_abandoned`: such a lock is free."""
        return False

    def schema(self) -> str:
        """See `Store.schema`: nothing has to be run."""
        return ""

    def set_up(self) -> None:
        """See `Store.set_up`."""
        self.prepare()

    def examine(self) -> Iterator[Finding]:
        """See `Store.examine`: ``lakekey doctor`` looks at the directory."""
        return iter(())

    def holder(self, entry_id: str) -> str | None:
        """See `Store.holder`."""
        return self._locks.holder(entry_id)

    @property
    def _locks(self) -> FileLocks:
        """The locks, which the warm path has no need of."""
        with LOADING:
            from lakekey.cache.stores.file_lock import FileLocks

        return self._made_locks.setdefault("one", FileLocks(self.prepare, self._path))

    def _path(self, entry_id: str, suffix: str = _SUFFIX) -> str:
        return os.path.join(self._entries, entry_id + suffix)


def _write_failed(path: str, error: OSError) -> CacheWriteFailed:
    with LOADING:
        from lakekey.cache.stores.file_lock import write_failed

    return write_failed(path, error)
