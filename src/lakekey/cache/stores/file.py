"""The file store: one sealed file and one lock file an entry, in a directory that only its owner can enter."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from lakekey._imports import LOADING, libraries
from lakekey.cache import private_files
from lakekey.errors import CacheError, CacheWriteFailed, LockTimeout

if TYPE_CHECKING:
    from lakekey.cache.stores.findings import Finding
    from lakekey.cache.stores.lock_line import Line
    from lakekey.cache.stores.store import Reading

_SUFFIX = ".entry"
_GIVEN_UP = 600.0  # seconds after which a temporary file has no writer any more
# What a refresh will have to write. A disk that has no room for it is found full before a single-use refresh token
# is spent, not after.
_ROOM = 32 * 1024
_KEY_PATIENCE = 60.0  # seconds; the first process may be waiting for a person to unlock the keyring


class _Held(NamedTuple):
    """A lock that this process holds.

    Attributes:
        by: Process and thread.
        mark: What the temporary files that are written under it are known by.
    """

    by: tuple[int, int]
    mark: str


class FileStore:
    """A `lakekey.cache.stores.store.Store` of files. Its cost does not grow with the number of entries.

    Args:
        directory: The cache directory; entries live in its ``entries`` folder.
    """

    shared = False

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._entries = os.path.join(directory, "entries")
        self._held: dict[str, _Held] = {}

    @property
    def where(self) -> str:
        """The cache directory."""
        return self._directory

    def check(self) -> None:
        """Refuse an unsafe directory, as far as there is one. Nothing is made.

        Raises:
            UnsafeCache: Others could read or change what is in it, or put another in its place.
            CacheWriteFailed: It cannot be reached.
        """
        try:
            for directory in (self._directory, self._entries):
                private_files.ensure_directory(directory, create=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _write_failed(self._directory, error) from None

    def prepare(self) -> None:
        """Make the directories where they are missing, and refuse unsafe ones.

        Raises:
            UnsafeCache: Others could read or change what is in them.
            CacheWriteFailed: They cannot be made.
        """
        try:
            private_files.ensure_directory(self._directory)
            private_files.ensure_directory(self._entries)
        except OSError as error:
            raise _write_failed(self._directory, error) from None

    def read(self, entry_id: str) -> "Reading":
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

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None) -> bool:
        """See `Store.put`. Comparing and renaming are one step because the caller holds the entry's lock."""
        if self.get(entry_id) != replaces:
            return False
        try:
            private_files.replace(self._path(entry_id), envelope, mark=self._mark(entry_id))
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return True

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""
        if self.get(entry_id) != replaces:
            return False
        try:
            private_files.remove(self._path(entry_id))
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return True

    def set_aside(self, entry_id: str, envelope: bytes) -> str | None:
        """See `Store.set_aside`: renamed to ``<id>.bad``, in place of an earlier one.

        Under the entry's lock: without it, a sibling could put a good entry between the look and the renaming.
        """
        held_here = self._held.get(entry_id)
        if held_here is not None and held_here.by == _this_thread():
            return self._move_aside(entry_id, envelope)
        with self.lock(entry_id) as held:
            return self._move_aside(entry_id, envelope) if held else None

    def place(self, entry_id: str) -> str:
        """See `Store.place`."""
        return self._path(entry_id)

    def removal(self, entry_id: str) -> str:
        """See `Store.removal`."""
        return f"rm {self._path(entry_id)}"

    def _move_aside(self, entry_id: str, envelope: bytes) -> str | None:
        if self.get(entry_id) != envelope:
            return None
        aside = self._path(entry_id, ".bad")
        try:
            private_files.patiently(lambda: os.replace(self._path(entry_id), aside), denied=True)
        except OSError as error:
            raise _write_failed(self._path(entry_id), error) from None
        return aside

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`. It looks at every file anyway, so it also sweeps up after writers that were killed."""
        private_files.sweep(self._entries, time.time() - _GIVEN_UP)
        try:
            names = private_files.patiently(lambda: os.listdir(self._entries))
        except FileNotFoundError:
            return []
        ids = sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return [entry_id for entry_id in ids if entry_id > after][:limit]

    def together(self) -> "contextlib.AbstractContextManager[None]":
        """See `Store.together`: there is no connection."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def lock(self, entry_id: str, *, to_write: bool = True) -> Iterator[bool]:
        """See `Store.lock`. The kernel frees the lock of a process that dies; the file stays and means nothing."""
        line = self._line(entry_id)
        with line.first() as first:
            if not first:
                yield False
                return
            self.prepare()  # taken away meanwhile, the library would make them anew, open to others
            with libraries():
                import filelock

            # thread_local=False: the thread that locks may hand the work to another. Not a singleton: two sessions of
            # one process exclude each other as two processes would.
            lock = filelock.FileLock(self._path(entry_id, ".lock"), mode=0o600, thread_local=False)
            try:
                private_files.patiently(lambda: lock.acquire(blocking=False))
            except filelock.Timeout:
                yield False
                return
            except OSError as error:
                raise _write_failed(self._path(entry_id, ".lock"), error) from None
            try:
                mark = self._succeed(entry_id, line)
                if to_write:
                    self._find_room(entry_id, mark)
                self._held[entry_id] = _Held(_this_thread(), mark)
                yield True
            finally:
                self._held.pop(entry_id, None)
                lock.release()

    def read_note(self, name: str) -> bytes | None:
        """See `KeyPlace.read_note`."""
        try:
            return private_files.read(self.note_place(name))
        except FileNotFoundError:
            return None

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        private_files.replace(self.note_place(name), content)

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`. It is one step because the caller holds `changing_key`."""
        if self.read_note(name) != replaces:
            return False
        self.write_note(name, content)
        return True

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        private_files.remove(self.note_place(name))

    def note_place(self, name: str) -> str:
        """See `KeyPlace.note_place`."""
        return os.path.join(self._directory, name)

    @contextlib.contextmanager
    def changing_key(self) -> Iterator[None]:
        """See `KeyPlace.changing_key`."""
        self.prepare()  # taken away meanwhile, the library would make it anew, open to others
        with libraries():
            import filelock

        lock = filelock.FileLock(self.note_place("cache.lock"), mode=0o600, thread_local=False)
        try:
            private_files.patiently(lambda: lock.acquire(timeout=_KEY_PATIENCE))
        except filelock.Timeout:
            raise LockTimeout(
                f"another process is changing the key of the cache in {self._directory} for more than "
                f"{_KEY_PATIENCE:g} s",
                hint="wait for it, or end it",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def still_locked(self, entry_id: str) -> bool:  # noqa: ARG002
        """See `Store.still_locked`: the kernel takes no lock away."""
        return True

    def schema(self) -> str:
        """See `Store.schema`: nothing has to be run."""
        return ""

    def set_up(self) -> None:
        """See `Store.set_up`."""
        self.prepare()

    def examine(self) -> "Iterator[Finding]":
        """See `Store.examine`: ``lakekey doctor`` looks at the directory."""
        return iter(())

    def holder(self, entry_id: str) -> str | None:
        """See `Store.holder`."""
        return self._line(entry_id).holder()

    def _line(self, entry_id: str) -> "Line":
        with LOADING:
            from lakekey.cache.stores.lock_line import Line

        return Line(self._path(entry_id, ".holder"))

    def _succeed(self, entry_id: str, line: "Line") -> str:
        """Take over from the holder before us, who writes no more now that we have the lock. Returns our mark."""
        before = line.last_mark()
        if before is not None:
            private_files.clear_up(self._path(entry_id), before)  # what it may have been killed over
        mark = private_files.new_mark()
        line.note(mark)
        return mark

    def _mark(self, entry_id: str) -> str | None:
        held = self._held.get(entry_id)
        return held.mark if held is not None and held.by[0] == os.getpid() else None  # a forked child holds nothing

    def _find_room(self, entry_id: str, mark: str) -> None:
        path = self._path(entry_id)
        try:
            private_files.try_room(path, _ROOM, mark=mark)
        except OSError as error:
            raise _write_failed(path, error) from None

    def _path(self, entry_id: str, suffix: str = _SUFFIX) -> str:
        return os.path.join(self._entries, entry_id + suffix)


def _this_thread() -> tuple[int, int]:
    with LOADING:
        import threading  # not on the warm path, which locks nothing

    return os.getpid(), threading.get_ident()


def _write_failed(path: str, error: OSError) -> CacheWriteFailed:
    reason = error.strerror or type(error).__name__
    with LOADING:
        from lakekey._commands import room_of

    hint = f"free or fix that place, or set LAKEKEY_CACHE_DIR to another: {room_of(os.path.dirname(path))}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM):
        hint = "set LAKEKEY_CACHE_DIR to a directory of yours that can be written to"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        hint = private_files.remedy(path, error)
    return CacheWriteFailed(f"cannot write to the token cache at {path}: {reason}", hint=hint)
