"""A small disk of one's own, to fill up and to make read-only. For a program of Windows, the Linux below mounts it."""

import json
import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import wine

_ADDRESS = "TESTS_DISKS"  # where a run on Windows asks for them
_PATIENCE = 30  # seconds
_COMMANDS = {
    "mount": ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "lakekey-test"],
    "unmount": ["umount", "--lazy"],
    "read_only": ["mount", "-o", "remount,ro"],
    "writable": ["mount", "-o", "remount,rw"],
}


class Disk:
    """A file system of 256 KiB in memory, mounted for one test. Only root may mount."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self._filler = where / "filler"

    @classmethod
    def mount(cls, where: Path) -> "Disk | None":
        """Mounts one; ``None`` where this user or this container may not."""
        where.mkdir(mode=0o700)
        return cls(where) if _succeeds("mount", where) else None

    def unmount(self) -> None:
        """Takes it away, whatever process still has a file open on it."""
        assert _succeeds("unmount", self.where)

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
        assert _succeeds("read_only", self.where)

    def writable(self) -> None:
        """The end of `read_only`."""
        assert _succeeds("writable", self.where)


class _Service(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        what, path = json.loads(self.rfile.readline())
        where = wine.linux(path)
        # It is root that mounts here, for every program that finds the port.
        mine = where.resolve().is_relative_to(wine.HOME.resolve())
        self.wfile.write(json.dumps(mine and _succeeds(what, where)).encode())


@contextmanager
def served() -> Iterator[dict[str, str]]:
    """Mounts disks for programs of Windows; the environment by which they ask for it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {_ADDRESS: str(server.server_address[1])}
        server.shutdown()


def _succeeds(what: str, where: Path) -> bool:
    if port := os.environ.get(_ADDRESS):
        with socket.create_connection(("127.0.0.1", int(port)), _PATIENCE) as asked, asked.makefile("rw") as wires:
            wires.write(json.dumps([what, str(where)]) + "\n")
            wires.flush()
            return bool(json.loads(wires.readline()))
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run([*_COMMANDS[what], str(where)], check=False, capture_output=True, timeout=_PATIENCE)
    except FileNotFoundError:
        return False
    return done.returncode == 0
