"""Files of ours that are written whole or not at all: made for their owner only, replaced atomically, durable.

Never changed to 0600 after the fact: between ``open`` and ``chmod`` another user could already hold the file open.
"""

import contextlib
import os
import sys

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache import exchanged_names
from lakekey.cache.private_files import BINARY, CLOEXEC, NOFOLLOW, PATIENCE_TO_REPLACE, patiently

_POSIX = os.name == "posix"
_TEMPORARY = ".tmp"
_RETRIES = 5
_unsynced: set[str] = set()


def replace(
    path: str,
    content: bytes,
    *,
    mark: str | None = None,
    mode: int = 0o600,
    synced: bool = True,
    patience: float = PATIENCE_TO_REPLACE,
) -> None:
    """Write a private file in place of whatever has its name, durably: after a crash it is the old or the new one.

    The data reaches the disk before the name does, and the name before this returns.

    Args:
        path: The file.
        content: What is to be in it.
        mark: What `new_mark` gave, by which another process may have to find what is left of this.
        mode: Its permissions; 0700 for a program.
        synced: Whether it has to outlast a loss of power; a process that dies loses nothing either way.
        patience: How long to try where another program has the file open, in seconds.
    """
    for attempt in range(_RETRIES):
        # Again as a whole where a step of it fails for a moment: a file that is stale stays so.
        temporary = patiently(lambda: _write_temporary(path, content, mark, mode, synced=synced))
        try:
            if synced or not exchanged_names.replace(temporary, path):
                patiently(lambda: os.replace(temporary, path), patience=patience, denied=True)  # noqa: B023
        except FileNotFoundError:
            # Where locks do not hold, a sibling may take what is being written for what was left.
            if attempt == _RETRIES - 1:
                raise
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        else:
            break
    if synced:
        _sync_directory(os.path.dirname(path))


def new_mark() -> str:
    """What sets the temporary files of one writer apart from all others'."""
    return f"{os.getpid()}.{os.urandom(6).hex()}"


def clear_up(path: str, mark: str) -> None:
    """Remove what a killed writer of a file has left beside it, if anything."""
    with contextlib.suppress(OSError):
        os.unlink(_temporary(path, mark))


def remove(path: str) -> None:
    """Remove a file durably; one that is not there is removed already."""
    with contextlib.suppress(FileNotFoundError):
        patiently(lambda: os.unlink(path), denied=True)
        _sync_directory(os.path.dirname(path))


def try_room(path: str, size: int, *, mark: str | None = None) -> None:
    """See whether a file beside ``path`` could be written now. Nothing stays.

    Raises:
        OSError: It could not.
    """
    patiently(lambda: _try_room(path, size, mark))


def _try_room(path: str, size: int, mark: str | None) -> None:
    temporary = _temporary(path, mark)
    descriptor = _create(temporary, 0o600)
    try:
        # Written, and not allocated: a file system that puts off where on the disk it goes reserves the room (and the
        # quota) all the same, and what is removed again has cost it nothing.
        try:
            _write_all(descriptor, bytes(size))
        finally:
            os.close(descriptor)  # where a network's file system may be the first to say that it is full
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def sweep(directory: str, older_than: float) -> None:
    """Remove what writers that were killed have left behind.

    Args:
        directory: Where.
        older_than: The time (epoch seconds) before which a temporary file was surely given up.
    """
    with contextlib.suppress(OSError), os.scandir(directory) as files:
        for file in files:
            if file.name.endswith(_TEMPORARY):
                with contextlib.suppress(OSError):
                    if file.stat(follow_symlinks=False).st_mtime < older_than:
                        os.unlink(file.path)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _temporary(path: str, mark: str | None) -> str:
    return f"{path}.{mark or new_mark()}{_TEMPORARY}"


def _write_temporary(path: str, content: bytes, mark: str | None, mode: int, *, synced: bool) -> str:
    temporary = _temporary(path, mark)
    descriptor = _create(temporary, mode)
    try:
        try:
            _write_all(descriptor, content)
            if synced:
                _sync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _create(temporary: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | CLOEXEC | BINARY
    try:
        descriptor = patiently(lambda: os.open(temporary, flags, mode))
    except FileExistsError:  # what we had under this name could not be removed then
        os.unlink(temporary)
        descriptor = os.open(temporary, flags, mode)
    try:
        keep_owners_rights(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return descriptor


def keep_owners_rights(descriptor: int, mode: int) -> None:
    """Give a file that we have just made what the umask took from its owner; others gain nothing."""
    if _POSIX and os.fstat(descriptor).st_mode & mode != mode:
        os.fchmod(descriptor, mode)


def _sync(descriptor: int) -> None:
    """See that a file is on the disk. On macOS, fsync leaves it in the drive's own cache; its F_FULLFSYNC does not."""
    if sys.platform == "darwin":
        with LOADING:
            import fcntl

        with contextlib.suppress(OSError):  # a file system without it, such as a network's
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _sync_directory(path: str) -> None:
    """See that a name is on the disk. Where that cannot be had, what is stored is stored nevertheless."""
    if not _POSIX:
        return  # Windows cannot open a directory; its rename is journalled
    try:
        descriptor = patiently(lambda: os.open(path, os.O_RDONLY | CLOEXEC))
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if path not in _unsynced:
            _unsynced.add(path)
            _log.warning(
                "cache", "%s cannot be synced (%s): a power failure may undo the last write", path,
                error.strerror or type(error).__name__,
            )  # fmt: skip
