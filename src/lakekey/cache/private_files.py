"""Files that only their owner may touch: made so at ``open``, replaced atomically, refused where they are not so.

Never changed to 0600 after the fact: between ``open`` and ``chmod`` another user could already hold the file open.
"""

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache import safe_path
from lakekey.errors import UnsafeCache

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows, where links need a privilege
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # the open of a pipe that was put here would wait for ever
_POSIX = os.name == "posix"
_TEMPORARY = ".tmp"
_MOST = 8 << 20  # no file of ours is as large, not even an entry with the largest answer that we take from a server
_RETRIES = 5
T = TypeVar("T")

# What passes by itself: a file that another client of the file system has just replaced (ESTALE), a table of open
# files that is full for a moment.
_PASSING = (errno.EINTR, errno.ESTALE, errno.EMFILE, errno.ENFILE)
_IN_USE = (32, 33)  # Windows' ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION: never for good, unlike a denial
_PATIENCE = 1.0  # seconds for a read
_PATIENCE_TO_REPLACE = 10.0  # longer, since what is written may be the successor of a token that is spent
_unsynced: set[str] = set()


def patiently(call: Callable[[], T], *, patience: float = _PATIENCE, denied: bool = False) -> T:
    """Make a call of the operating system, again and again where it fails for a moment only.

    Windows denies the opening, the replacing and the removing of a file that another program (a virus scanner, an
    indexer, a reader of ours) has open, for as long as that is.

    Args:
        call: The call.
        patience: How long to try, in seconds.
        denied: Whether a denial may be one of those on this call; elsewhere than on Windows it mostly is for good.

    Raises:
        OSError: The last one, where it did not pass.
    """
    deadline, pause = 0.0, 0.001
    while True:
        try:
            return call()
        except OSError as error:
            in_use = getattr(error, "winerror", None) in _IN_USE
            passes = in_use or error.errno in _PASSING or (error.errno == errno.EACCES and (denied or not _POSIX))
            now = time.monotonic()
            deadline = deadline or now + (max(patience, _PATIENCE_TO_REPLACE) if in_use else patience)
            if not passes or now >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def remedy(path: str, error: OSError) -> str:
    """What to do about a file that the operating system does not give out."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "close files that this program has open, or raise its limit (ulimit -n)"
    return "try again" if error.errno in _PASSING else _commands().look_at(path)


def ensure_directory(path: str, *, create: bool = True) -> None:
    """Make a directory for its owner only, or check that the one there is.

    Args:
        path: The directory.
        create: Whether to make it where it is missing.

    Raises:
        UnsafeCache: It belongs to another user, others may enter it, or it is a link.
        OSError: It cannot be made.
    """
    patiently(lambda: _ensure_directory(path, create))


def _ensure_directory(path: str, create: bool) -> None:
    safe_path.check_parents(path)
    if create:
        # One level at a time: os.makedirs applies the mode to the last level only, and then by the umask's leave.
        missing = []
        probe = path
        while not os.path.lexists(probe):
            missing.append(probe)
            probe = os.path.dirname(probe)
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):  # a sibling made it first
                os.mkdir(directory, 0o700)
                if _POSIX and os.lstat(directory).st_mode & 0o700 != 0o700:
                    os.chmod(directory, 0o700)  # the umask took from its owner what it should keep
    _check(os.lstat(path), path, want=stat.S_ISDIR, mode=0o700)


def read(path: str) -> bytes:
    """Read a private file.

    Raises:
        UnsafeCache: It belongs to another user, others may read it, or it is no regular file.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    return patiently(lambda: _read(path), denied=True)


def _read(path: str) -> bytes:
    if os.path.islink(path):  # O_NOFOLLOW says ELOOP, which reads like a broken disk
        raise _unsafe(path, "is a symbolic link", _commands().move_away(path))
    descriptor = _open_to_read(path)
    try:
        status = os.fstat(descriptor)
        _check(status, path, want=stat.S_ISREG, mode=0o600)
        return _content(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def read_given(path: str) -> bytes:
    """Read a secret that another user may have put here for us, such as a mounted one.

    Unlike `read`, it follows links, as long as only root and we could change one of them. A file of root's may
    be readable by others, since the container's platform decides that; one of our own may not.

    Raises:
        UnsafeCache: Another user could change it, or read ours.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    for attempt in range(_RETRIES):
        real = safe_path.resolve_file(path)
        try:
            descriptor = _open_to_read(real)
        except FileNotFoundError:
            # Kubernetes swaps a whole directory behind a link; a reader can meet the moment in between.
            if attempt == _RETRIES - 1 or not os.path.lexists(path):
                raise
            continue
        break
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(real, "is not a regular file", _commands().look_at(real))
        if _POSIX and status.st_uid not in (0, os.geteuid()):
            raise _unsafe(real, f"belongs to user {status.st_uid}", f"sudo chown {os.geteuid()} {real}")
        if _POSIX and status.st_mode & 0o022:
            raise _unsafe(real, "can be changed by other users", f"chmod go-w {real}")
        if _POSIX and status.st_uid != 0 and status.st_mode & 0o077:
            raise _unsafe(real, "can be read by other users", f"chmod 600 {real}")
        return _content(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes, *, mark: str | None = None, mode: int = 0o600) -> None:
    """Write a private file in place of whatever has its name, durably: after a crash it is the old or the new one.

    The data reaches the disk before the name does, and the name before this returns.

    Args:
        path: The file.
        content: What is to be in it.
        mark: What `new_mark` gave, by which another process may have to find what is left of this.
        mode: Its permissions; 0700 for a program.
    """
    for attempt in range(_RETRIES):
        temporary = _write_temporary(path, content, mark, mode)
        try:
            patiently(lambda: os.replace(temporary, path), patience=_PATIENCE_TO_REPLACE, denied=True)  # noqa: B023
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
    temporary = _temporary(path, mark)
    descriptor = _create(temporary, 0o600)
    try:
        _allocate(descriptor, size)
    finally:
        os.close(descriptor)
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


def _open_to_read(path: str) -> int:
    if sys.platform == "win32":
        with LOADING:
            from lakekey.cache.shared_opening import open_to_read

        return open_to_read(path)
    return os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC | _BINARY | _NONBLOCK)


def _content(descriptor: int, size: int) -> bytes:
    content = b""
    while len(content) <= _MOST and (chunk := os.read(descriptor, min(size, _MOST) + 1)):
        content += chunk
    return content


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every file system has it
                raise
        else:
            return
    os.write(descriptor, bytes(size))


def _temporary(path: str, mark: str | None) -> str:
    return f"{path}.{mark or new_mark()}{_TEMPORARY}"


def _write_temporary(path: str, content: bytes, mark: str | None = None, mode: int = 0o600) -> str:
    temporary = _temporary(path, mark)
    descriptor = _create(temporary, mode)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            _sync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _create(temporary: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
    try:
        descriptor = patiently(lambda: os.open(temporary, flags, mode))
    except FileExistsError:  # what we had under this name could not be removed then
        os.unlink(temporary)
        descriptor = os.open(temporary, flags, mode)
    keep_owners_rights(descriptor, mode)
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
        descriptor = patiently(lambda: os.open(path, os.O_RDONLY | _CLOEXEC))
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


def _check(status: os.stat_result, path: str, *, want: object, mode: int) -> None:
    if not callable(want) or not want(status.st_mode):
        raise _unsafe(path, "is a link or not of the kind it should be", f"move it away: {_commands().move_away(path)}")
    if not _POSIX:
        return
    if status.st_uid != os.geteuid():
        raise _unsafe(path, f"belongs to user {status.st_uid}, not to you", safe_path.ANOTHER_PLACE)
    if status.st_mode & 0o077:
        raise _unsafe(path, "is open to other users", f"chmod {mode:o} {path}")


def _commands() -> Any:
    with LOADING:
        from lakekey import _commands  # for an error only, so not on the warm path

    return _commands


def _unsafe(path: str, what: str, command: str) -> UnsafeCache:
    return UnsafeCache(f"{path} {what}", hint=command)
