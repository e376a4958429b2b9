"""A cheap gate in front of a lock: only the first process in line tries the lock itself, and notes that it has it.

It spares work and guards nothing; what guards is the lock. But the lock's library costs a new process as much as all
the rest of a warm start, and a crowd of processes that is let go together need not load it, each for itself, only to
find the lock taken. A POSIX record lock suits the line: it ends with its process, and no forked child inherits it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from lakekey._imports import LOADING
from lakekey.cache import durable_files, private_files
from lakekey.errors import UnsafeCache

_TAKEN = (errno.EACCES, errno.EAGAIN)


class LockLine:
    """The line before one lock.

    Args:
        path: Its file, which also says who holds the lock.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    @contextlib.contextmanager
    def is_first(self) -> Iterator[bool]:
        """Try once to be the first; the context's value says whether no other process is."""
        try:
            yield self.enter()
        finally:
            self.leave()

    def enter(self) -> bool:
        """Try once to be the first, and stay it until `leave`. Returns whether no other process is."""
        try:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self._path, flags, 0o600)
            durable_files.keep_owners_rights(self._descriptor, 0o600)
        except OSError:
            self.leave()
            return True  # the lock will say what is wrong here
        return _lock(self._descriptor)

    def leave(self) -> None:
        """Let the next one be the first. Does nothing where it was done."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:  # noqa: SIM105 - not by `suppress`, before whose block an interrupt could strike
                os.close(descriptor)
            except OSError:  # it is closed all the same
                pass

    def last_mark(self) -> str | None:
        """The mark of the process that held the lock before us, for the one who is first."""
        if self._descriptor < 0:
            return None
        with contextlib.suppress(OSError):
            os.lseek(self._descriptor, 0, os.SEEK_SET)  # Windows has neither pread nor pwrite
            return _mark_in(os.read(self._descriptor, 100))
        return None

    def note(self, mark: str) -> None:
        """Write down that this process holds the lock. The note of one that died stays until the next holder's.

        Args:
            mark: What it is known by: its process id, ``.``, and something random.
        """
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                written = mark.encode()
                # Over the last one, and cut behind it only where that was longer: some file systems bring a file to
                # the disk that was emptied and written again.
                if os.fstat(self._descriptor).st_size > len(written):
                    os.ftruncate(self._descriptor, 0)
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.write(self._descriptor, written)

    def holder(self) -> str | None:
        """Who holds the lock, or held it last, as ``process 4711``, where known."""
        try:
            mark = _mark_in(private_files.read(self._path))
        except (OSError, UnsafeCache):
            return None
        return f"process {mark.partition('.')[0]}" if mark is not None else None


def _mark_in(note: bytes) -> str | None:
    mark = note.decode(errors="replace")
    pid, _, random = mark.partition(".")
    return mark if pid.isdigit() and random.isalnum() else None


def _lock(descriptor: int) -> bool:
    try:
        with LOADING:
            import fcntl
    except ImportError:  # Windows, where every process is first
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
