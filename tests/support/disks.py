"""A small disk of one's own, to fill up and to make read-only."""

import os
import subprocess
from pathlib import Path


class Disk:
    """A file system of 256 KiB in memory, mounted for one test. Only root may mount."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self._filler = where / "filler"

    @classmethod
    def mount(cls, where: Path) -> "Disk | None":
        """Mounts one; ``None`` where this user or this container may not."""
        where.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "lakekey-test", str(where)]
        return cls(where) if _succeeds(command) else None

    def unmount(self) -> None:
        """Takes it away, whoever still has a file open on it."""
        subprocess.run(["umount", "--lazy", str(self.where)], check=True, timeout=30)

    def fill(self) -> None:
        """Leaves not one byte."""
        with open(self._filler, "ab", buffering=0) as file:
            size = 64 * 1024
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Makes room again."""
        self._filler.unlink()

    def read_only(self) -> None:
        """Nothing can be changed any more."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.where)], check=True, timeout=30)

    def writable(self) -> None:
        """The end of `read_only`."""
        subprocess.run(["mount", "-o", "remount,rw", str(self.where)], check=True, timeout=30)


def _succeeds(command: list[str]) -> bool:
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0
    except FileNotFoundError:
        return False
