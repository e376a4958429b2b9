"""Files that a setting names, read without waiting for a writer, which a pipe in their place may never have."""

import contextlib
import errno
import os
import stat

_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def content(path: str, most: int = -1) -> bytes:
    """What is in a file.

    Args:
        path: The file, or a link to it.
        most: Bytes that are read at most; all of them unless told.

    Raises:
        OSError: It cannot be read, or is no plain file.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NONBLOCK)) as file:
        _require_plain(os.fstat(file.fileno()))
        return file.read(most)


def require(path: str | None) -> None:
    """Refuse a pipe or a device that a library is about to read; what is missing, or a directory, is the library's.

    Raises:
        OSError: It is one.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if path and not os.path.isdir(path):
            _require_plain(os.stat(path))


def _require_plain(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file")
