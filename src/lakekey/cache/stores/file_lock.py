"""Locks of the file store, a file each. The kernel frees the lock of a holder that dies; the file means nothing."""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from lakekey import _log
from lakekey._imports import libraries
from lakekey.cache import durable_files, private_files
from lakekey.cache.stores.lock_line import LockLine
from lakekey.errors import CacheWriteFailed, LockTimeout

if TYPE_CHECKING:
    import filelock

# What a refresh will have to write. A disk that has no room for it is found full before a single-use refresh token
# is spent, not after.
_ROOM = 32 * 1024
ENTRY = ".entry"  # what the name of an entry's file ends in
_KEY_PATIENCE = 60.0  # seconds; the first process may be waiting for a person to unlock the keyring


class _Held(NamedTuple):
    """A lock that this process holds.

    Attributes:
        by: Process and thread.
        mark: What the temporary files that are written under it are known by.
    """

    by: tuple[int, int]
    mark: str


class FileLocks:
    """The locks of one cache directory.

    Args:
        prepare: Makes the directories where they are missing. Taken away meanwhile, the lock's library would make them
            again, open to others.
        path: The path of a file of an entry: its id, and what the name ends in.
    """

    def __init__(self, prepare: Callable[[], None], path: Callable[[str, str], str]) -> None:
        self._prepare = prepare
        self._path = path
        self._held: dict[str, _Held] = {}

    @contextlib.contextmanager
    def entry(self, entry_id: str, *, to_write: bool) -> Iterator[bool]:
        """Try once to lock an entry; see `Store.lock`."""
        line = self._line(entry_id)
        with line.is_first() as first:
            if not first:
                yield False
                return
            self._prepare()
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
                raise write_failed(self._path(entry_id, ".lock"), error) from None
            try:
                mark = self._succeed(entry_id, line)
                if to_write:
                    self._find_room(entry_id, mark)
                self._held[entry_id] = _Held(_this_thread(), mark)
                yield True
            finally:
                self._held.pop(entry_id, None)
                _release(lock)

    def mark(self, entry_id: str) -> str | None:
        """What the temporary files are known by that are written under the lock that this process holds."""
        held = self._held.get(entry_id)
        return held.mark if held is not None and held.by[0] == os.getpid() else None  # a forked child holds nothing

    def is_held_here(self, entry_id: str) -> bool:
        """Whether the calling thread holds an entry's lock."""
        held = self._held.get(entry_id)
        return held is not None and held.by == _this_thread()

    def holder(self, entry_id: str) -> str | None:
        """See `Store.holder`."""
        return self._line(entry_id).holder()

    @contextlib.contextmanager
    def key(self, path: str, *, patience: float = _KEY_PATIENCE) -> Iterator[None]:
        """Wait for the lock under which the key of the cache is changed; see `KeyPlace.changing_key`.

        Args:
            path: The lock's file.
            patience: Seconds to wait.
        """
        self._prepare()
        with libraries():
            import filelock

        lock = filelock.FileLock(path, mode=0o600, thread_local=False)
        try:
            private_files.patiently(lambda: lock.acquire(timeout=patience))
        except filelock.Timeout:
            raise LockTimeout(
                f"another process has been changing the key of the cache in {os.path.dirname(path)} for more than "
                f"{patience:g} s",
                hint="wait for it, or end it",
            ) from None
        try:
            yield
        finally:
            _release(lock)

    def _line(self, entry_id: str) -> LockLine:
        return LockLine(self._path(entry_id, ".holder"))

    def _succeed(self, entry_id: str, line: LockLine) -> str:
        """Take over from the holder before us, who writes no more now that we have the lock. Returns our mark."""
        before = line.last_mark()
        if before is not None:
            durable_files.clear_up(self._path(entry_id, ENTRY), before)  # what it may have been killed over
        mark = durable_files.new_mark()
        line.note(mark)
        return mark

    def _find_room(self, entry_id: str, mark: str) -> None:
        path = self._path(entry_id, ENTRY)
        try:
            durable_files.try_room(path, _ROOM, mark=mark)
        except OSError as error:
            raise write_failed(path, error) from None


def _release(lock: "filelock.BaseFileLock") -> None:
    """Free a lock. What was done under it is done, so a refusal of the operating system is no failure of that."""
    try:
        private_files.patiently(lambda: lock.release(force=True))
    except OSError as error:
        # The library keeps the file open, and tries again as it drops the lock.
        _log.warning("cache", "%s cannot be unlocked: %s", lock.lock_file, error.strerror or type(error).__name__)


def _this_thread() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def write_failed(path: str, error: OSError) -> CacheWriteFailed:
    """The error of a write that the operating system refused."""
    reason = (error.strerror or type(error).__name__).rstrip(".")  # as Windows ends its sentences
    hint = f"free or fix that place, or set LAKEKEY_CACHE_DIR to another: {private_files.free_space_command(path)}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM):
        hint = "set LAKEKEY_CACHE_DIR to a directory of yours that can be written to"
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EFBIG) or private_files.is_in_use(error):
        hint = private_files.remedy(path, error)
    return CacheWriteFailed(f"cannot write to the token cache at {path}: {reason}", hint=hint)
