"""The mark of a process on its machine, by which the others there can tell that it has died.

A mark is a file in ``TMPDIR`` (``/tmp``) with a random name, on which its process holds a kernel lock until it ends.
A process that finds the file, and the lock free, knows that its process ran on this machine and is gone. Nothing else
counts as a proof. A file that is not there proves nothing: the process may be on another machine or in another
container, or could leave no mark. Process ids are not asked: they are used again, belong to others in another
namespace, and are the same in two copies of one virtual machine.

A copy of the file, in an image or a snapshot that was made of a running machine, has no lock and proves nothing either.
So the file says by what it is known to be the first one: the boot of its machine, and its device and number there.

Marks are left and believed on file systems of this machine's kernel only.
"""

import atexit
import contextlib
import os
import stat
import time
from typing import NamedTuple

from lakekey._imports import LOADING
from lakekey.cache.stores import network_files

#: Kinds of file systems whose locks are this kernel's alone.
LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"})
#: How long a mark's name is, in hexadecimal digits.
LENGTH = 32
_OLD = 3600.0  # seconds after which a dead process's mark is removed: all who could ask for it have asked
_LONGEST = 120  # bytes of a mark's file
_BOOT = "/proc/sys/kernel/random/boot_id"
_AT_ONCE = 200  # marks that are looked at for that by one process


class _Mark(NamedTuple):
    """The mark of a process.

    Attributes:
        name: Its name; ``""`` if none could be left.
        path: Its file.
        descriptor: Has the lock.
        file: Device and inode, by which it is told whether the descriptor still has the file.
    """

    name: str
    path: str = ""
    descriptor: int = -1
    file: tuple[int, int] = (0, 0)

    @property
    def is_whole(self) -> bool:
        """Whether the file and the lock are still there. A program may close all descriptors, as daemons do."""
        if not self.name:
            return True
        with contextlib.suppress(OSError):
            seen, there = os.fstat(self.descriptor), os.lstat(self.path)
            return (seen.st_dev, seen.st_ino) == self.file == (there.st_dev, there.st_ino)
        return False


_marks: dict[int, _Mark] = {}  # by process id: a forked child makes a mark of its own


def mark_here() -> str:
    """The mark of this process; ``""`` if it can leave none."""
    pid = os.getpid()
    mark = _marks.get(pid)
    if mark is not None and mark.is_whole:
        return mark.name
    if mark is not None:
        _marks.pop(pid, None)
    made = _made()
    kept = _marks.setdefault(pid, made)
    if kept is not made:  # another thread was quicker
        _remove(made)
    return kept.name


def is_dead(mark: str) -> bool:
    """Whether the process that left a mark has died, as far as that can be proved here."""
    if len(mark) != LENGTH or not mark.isalnum():
        return False
    directory = _directory()
    return directory is not None and _is_free(os.path.join(directory, mark), only_original=True)


def _is_free(path: str, *, only_original: bool) -> bool:
    """Whether a file is one of this user's on which no process holds a lock.

    Args:
        path: The file.
        only_original: Whether a copy of a mark does not count.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
            return False
        if only_original and not 0 < seen.st_size <= _LONGEST:
            return False
        if only_original and os.read(descriptor, _LONGEST) != _origin(seen):
            return False
        return _locked(descriptor, shared=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _origin(seen: os.stat_result) -> bytes:
    """What tells a mark's file from its copies.

    Raises:
        OSError: This machine does not say which boot it is in.
    """
    with open(_BOOT, "rb") as file:
        return b"%s %d %d" % (file.read().strip(), seen.st_dev, seen.st_ino)


def _made() -> _Mark:
    directory = _directory(make=True)
    if directory is None:
        return _Mark("")
    _sweep(directory)
    name = os.urandom(LENGTH // 2).hex()
    path = os.path.join(directory, name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return _Mark("")
    seen = os.fstat(descriptor)
    mark = _Mark(name, path, descriptor, (seen.st_dev, seen.st_ino))
    # Written under the lock: what is not whole yet proves nothing.
    if not _locked(descriptor, shared=False) or not _is_written(descriptor, seen):
        _remove(mark)
        return _Mark("")
    return mark


def _is_written(descriptor: int, seen: os.stat_result) -> bool:
    try:
        origin = _origin(seen)
        return len(origin) <= _LONGEST and os.write(descriptor, origin) == len(origin)
    except OSError:  # a full disk
        return False


def _directory(*, make: bool = False) -> str | None:
    """Where this user's marks are; ``None`` if none can be left or believed."""
    if not hasattr(os, "geteuid") or not hasattr(os, "O_NOFOLLOW"):
        return None
    place = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"lakekey-{os.geteuid()}")  # noqa: S108 - see below
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(place, 0o700)
        seen = os.lstat(place)
    except OSError:
        return None
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        return None  # others could put marks there
    return place if network_files.is_on(place, LOCAL) else None


def _locked(descriptor: int, *, shared: bool) -> bool:
    """Try to lock a file until its descriptor is closed."""
    try:
        with LOADING:
            import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _sweep(directory: str) -> None:
    """Remove the marks of processes that died long ago without removing theirs, and old copies of marks."""
    with contextlib.suppress(OSError), os.scandir(directory) as found:
        for _, each in zip(range(_AT_ONCE), found, strict=False):
            is_old = time.time() - each.stat(follow_symlinks=False).st_mtime > _OLD
            if is_old and _is_free(each.path, only_original=False):
                os.unlink(each.path)


def _remove(mark: _Mark) -> None:
    if mark.name and mark.is_whole:
        with contextlib.suppress(OSError):
            os.unlink(mark.path)
        os.close(mark.descriptor)


@atexit.register
def _at_exit() -> None:
    """Remove this process's file. Its lock goes with the process: a thread may still be at work."""
    mark = _marks.get(os.getpid())
    if mark is not None and mark.name and mark.is_whole:
        with contextlib.suppress(OSError):
            os.unlink(mark.path)


def _after_fork() -> None:
    """Let go of the parent's lock in the child, which would keep it after the parent's death."""
    for mark in list(_marks.values()):
        with contextlib.suppress(OSError):
            seen = os.fstat(mark.descriptor)
            if mark.name and (seen.st_dev, seen.st_ino) == mark.file:
                os.close(mark.descriptor)
    _marks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
