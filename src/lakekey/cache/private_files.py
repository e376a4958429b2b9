"""Files and directories that only their owner may touch: read, and refused if others may.

`lakekey.cache.durable_files` writes them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time

from lakekey._imports import LOADING, commands
from lakekey.cache import safe_path
from lakekey.errors import UnsafeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows, where links need a privilege
CLOEXEC = getattr(os, "O_CLOEXEC", 0)
BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # the open of a pipe that was put here would wait for ever
_POSIX = os.name == "posix"
_MOST = 8 << 20  # no file of ours is as large, not even an entry with the largest answer that we take from a server
_RETRIES = 5

# What passes by itself: a file that another client of the file system has just replaced (ESTALE), a table of open
# files that is full for a moment.
_PASSING = (errno.EINTR, errno.ESTALE, errno.EMFILE, errno.ENFILE)
_ENTRIES = "entries"  # the directory in a cache's own
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota of this kind
_IN_USE = (32, 33)  # Windows' ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION: never for good, unlike a denial
_PATIENCE = 1.0  # seconds for a read
PATIENCE_TO_REPLACE = 10.0  # longer, since what is written may be the successor of a token that is spent


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
            in_use = is_in_use(error)
            passes = in_use or error.errno in _PASSING or (error.errno == errno.EACCES and (denied or not _POSIX))
            now = time.monotonic()
            deadline = deadline or now + (max(patience, PATIENCE_TO_REPLACE) if in_use else patience)
            if not passes or now >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def owner() -> int:
    """The user that owns what this process makes; always 0 on Windows."""
    return os.geteuid() if _POSIX else 0


def is_in_use(error: OSError) -> bool:
    """Whether another program has the file open, as Windows says it."""
    return getattr(error, "winerror", None) in _IN_USE


def remedy(path: str, error: OSError) -> str:
    """What to do about a file that the operating system does not read or write for us."""
    if is_in_use(error):
        return "close the program that has this file open, then try again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "close files that this program has open, or raise its limit (ulimit -n)"
    if error.errno == errno.EFBIG:  # of a process, whatever room the disk has
        return "raise this program's limit on the size of files (ulimit -f)"
    if error.errno in _FULL:
        return f"free some room: {free_space_command(path)}"
    return "try again" if error.errno in _PASSING else commands().look_at(path)


def free_space_command(path: str) -> str:
    """A command that shows the room on the disk where a path is, or would be: what is not there has no room."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    command: str = commands().free_space(path)
    return command


def ensure_directory(path: str, *, create: bool = True, parents: bool = True) -> None:
    """Make a directory for its owner only, or check that the one there is.

    Args:
        path: The directory.
        create: Whether to make it where it is missing.
        parents: Whether the directories above it are checked as well, and not just now.

    Raises:
        UnsafeCache: It belongs to another user, others may enter it, or it is a link.
        OSError: It cannot be made.
    """
    patiently(lambda: _ensure_directory(path, create, parents))


def _ensure_directory(path: str, create: bool, parents: bool) -> None:
    if parents:
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
                _make_directory(directory)
                if _POSIX and os.lstat(directory).st_mode & 0o700 != 0o700:
                    os.chmod(directory, 0o700)  # the umask took from its owner what it should keep
    _check(os.lstat(path), path, want=stat.S_ISDIR, mode=0o700)


def _make_directory(path: str) -> None:
    if sys.platform == "win32":
        with LOADING:
            from lakekey.cache.access_list import make_directory

        make_directory(path)
    else:
        os.mkdir(path, 0o700)


def read(path: str) -> bytes:
    """Read a private file.

    Raises:
        UnsafeCache: It belongs to another user, others may read it, or it is not a regular file.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    return patiently(lambda: _read_twice(lambda: _read(path)), denied=True)


def _read_twice(look: Callable[[], bytes]) -> bytes:
    """Look once more where a first look finds nothing, or a disk that fails.

    Some network file systems lose sight of a file while another client replaces it. Taken for the truth, that is a
    session that was signed out of.
    """
    try:
        return look()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EIO):
            raise
    return look()


def _read(path: str) -> bytes:
    if os.path.islink(path):  # O_NOFOLLOW says ELOOP, which reads like a broken disk
        raise _unsafe(path, "is a symbolic link", commands().move_away(path))
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
    return _read_twice(lambda: _read_given(path))


def _read_given(path: str) -> bytes:
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
            raise _unsafe(real, "is not a regular file", commands().look_at(real))
        if _POSIX and status.st_uid not in (0, os.geteuid()):
            raise _unsafe(
                real, f"belongs to user {status.st_uid}", f"sudo chown {os.geteuid()} {commands().quoted(real)}"
            )
        if _POSIX and status.st_mode & 0o022:
            raise _unsafe(real, "can be changed by other users", f"chmod go-w {commands().quoted(real)}")
        if _POSIX and status.st_uid != 0 and status.st_mode & 0o077:
            raise _unsafe(real, "can be read by other users", f"chmod 600 {commands().quoted(real)}")
        return _content(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def _open_to_read(path: str) -> int:
    if sys.platform == "win32":
        with LOADING:
            from lakekey._shared_opening import open_to_read

        return open_to_read(path)
    return os.open(path, os.O_RDONLY | NOFOLLOW | CLOEXEC | BINARY | _NONBLOCK)


def _content(descriptor: int, size: int) -> bytes:
    content = b""
    while len(content) <= _MOST and (chunk := os.read(descriptor, min(size, _MOST) + 1)):
        content += chunk
    return content


def _check(status: os.stat_result, path: str, *, want: object, mode: int) -> None:
    is_place = want is stat.S_ISDIR
    if not callable(want) or not want(status.st_mode):
        is_ours = not is_place or _is_own_entries(path) or _is_default(status, path)
        step = f"move it away: {commands().move_away(path)}" if is_ours else safe_path.ANOTHER_PLACE
        raise _unsafe(path, "is a link or not of the kind it should be", step)
    if not _POSIX:
        return
    if status.st_uid != os.geteuid():
        raise _unsafe(path, f"belongs to user {status.st_uid}, not to you", safe_path.ANOTHER_PLACE)
    if status.st_mode & 0o077:
        is_ours = not is_place or _is_ours(status, path)
        step = f"chmod {mode:o} {commands().quoted(path)}" if is_ours else safe_path.ANOTHER_PLACE
        raise _unsafe(path, "is open to other users", step)


def _is_ours(status: os.stat_result, path: str) -> bool:
    """Whether a directory of this user's is plainly for lakekey alone: closing another, root would break the system."""
    if _is_own_entries(path):
        return True
    if status.st_mode & stat.S_ISVTX or os.path.ismount(path):
        return False
    in_home = safe_path.is_in_home(os.path.dirname(path))
    with contextlib.suppress(OSError):
        held = os.listdir(path)
        if not held:
            return in_home  # elsewhere, it may be the system's, such as /srv
        by_name = in_home and "lakekey" in os.path.basename(path)
        return any(_is_own_mark(os.path.join(path, name), by_name) for name in ("cache.json", _ENTRIES) if name in held)
    return False


def _is_own_mark(path: str, by_name: bool) -> bool:
    """Whether what a cache holds is this user's. What is open to others may have come from them, or be no cache's."""
    status = os.lstat(path)
    is_right = stat.S_ISDIR if os.path.basename(path) == _ENTRIES else stat.S_ISREG
    closed = not status.st_mode & 0o077
    return is_right(status.st_mode) and status.st_uid == os.geteuid() and (closed or by_name)


def _is_own_entries(path: str) -> bool:
    """Whether a path is ``entries`` in a cache's directory, where no other user could have put it."""
    if os.path.basename(path) != _ENTRIES:
        return False
    above = os.lstat(os.path.dirname(path))
    return not _POSIX or (above.st_uid == os.geteuid() and not above.st_mode & 0o077)


def _is_default(status: os.stat_result, path: str) -> bool:
    """Whether a link or a plain file is where the cache is by default."""
    movable = stat.S_ISLNK(status.st_mode) or stat.S_ISREG(status.st_mode)
    return _POSIX and movable and os.path.basename(path) == "lakekey" and safe_path.is_in_home(os.path.dirname(path))


def _unsafe(path: str, what: str, command: str) -> UnsafeCache:
    return UnsafeCache(f"{path} {what}", hint=command)
