"""Files that only their owner may touch: made so at ``open``, replaced atomically, refused where they are not so.

Never changed to 0600 after the fact: between ``open`` and ``chmod`` another user could already hold the file open.
"""

import contextlib
import os
import stat

from lakekey.errors import UnsafeCache

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows, where links need a privilege
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_POSIX = os.name == "posix"


def ensure_directory(path: str, *, create: bool = True) -> None:
    """Make a directory for its owner only, or check that the one there is.

    Args:
        path: The directory.
        create: Whether to make it where it is missing.

    Raises:
        UnsafeCache: It belongs to somebody else, others may enter it, or it is a link.
        OSError: It cannot be made.
    """
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
    _check(os.lstat(path), path, want=stat.S_ISDIR, mode=0o700)


def read(path: str) -> bytes:
    """Read a private file.

    Raises:
        UnsafeCache: It belongs to somebody else, others may read it, or it is no regular file.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    if os.path.islink(path):  # O_NOFOLLOW says ELOOP, which reads like a broken disk
        raise _unsafe(path, "is a symbolic link", f"replace it by the file itself: {path}")
    descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC | _BINARY)
    try:
        status = os.fstat(descriptor)
        _check(status, path, want=stat.S_ISREG, mode=0o600)
        content = b""
        while chunk := os.read(descriptor, status.st_size + 1):
            content += chunk
        return content
    finally:
        os.close(descriptor)


def create(path: str, content: bytes) -> None:
    """Write a private file that must not be there yet; leave the one that is, if a sibling was faster.

    The content is complete and on disk before the name appears, so no sibling ever reads half of it.
    """
    temporary = _write_temporary(path, content)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path) if _POSIX else os.rename(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_directory(os.path.dirname(path))


def replace(path: str, content: bytes) -> None:
    """Write a private file in place of whatever has its name, durably: after a crash it is the old or the new one.

    The data reaches the disk before the name does, and the name before this returns.
    """
    temporary = _write_temporary(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(os.path.dirname(path))


def remove(path: str) -> None:
    """Remove a file durably; one that is not there is removed already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        _sync_directory(os.path.dirname(path))


def _write_temporary(path: str, content: bytes) -> str:
    temporary = f"{path}.{os.getpid()}.{os.urandom(6).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    return temporary


def _sync_directory(path: str) -> None:
    if not _POSIX:
        return  # Windows cannot open a directory; its rename is journalled
    descriptor = os.open(path, os.O_RDONLY | _CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(status: os.stat_result, path: str, *, want: object, mode: int) -> None:
    if not callable(want) or not want(status.st_mode):
        raise _unsafe(path, "is a link or not of the kind it should be", f"move it away: mv {path} {path}.old")
    if not _POSIX:
        return
    if status.st_uid != os.geteuid():
        raise _unsafe(path, f"belongs to user {status.st_uid}, not to you", f"sudo chown {os.geteuid()} {path}")
    if status.st_mode & 0o077:
        raise _unsafe(path, "can be reached by other users", f"chmod {mode:o} {path}")


def _unsafe(path: str, what: str, command: str) -> UnsafeCache:
    return UnsafeCache(f"{path} {what}", hint=command)
