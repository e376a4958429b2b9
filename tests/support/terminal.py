"""A pseudo-terminal with a program in it: what a person sees and types, at a width of one's choice."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from typing import Self

from support.processes import LAKEKEY

_PATIENCE = 25.0
# A session's first terminal that is opened is the one whose keys send it signals: Ctrl-C, Ctrl-Z, Ctrl-\\.
_IN_FRONT = 'exec "$@" <>"$0"'
_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """``lakekey …`` in a terminal of its own; a context manager.

    Args:
        *arguments: The command line.
        environment: The whole environment.
        columns: The terminal's width.
        program: Another program than ``lakekey``.
    """

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], columns: int = 80, program: str = LAKEKEY
    ) -> None:
        self.raw = b""
        self._read = 0
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            ["sh", "-c", _IN_FRONT, os.ttyname(theirs), program, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
            env={name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")},
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)

    @property
    def screen(self) -> str:
        """All that was shown so far, without colours and links."""
        return _ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    def shows(self, pattern: str) -> re.Match[str]:
        """Waits until what was shown since the last time matches."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            match = re.compile(pattern, re.DOTALL).search(self.screen, self._read)
            if match:
                self._read = match.end()
                return match
            if time.monotonic() > deadline or not self._more(deadline):
                raise AssertionError(f"the screen never showed {pattern!r}; it showed:\n{self.screen}")

    def types(self, line: str) -> None:
        """Types a line and presses Enter."""
        os.write(self._ours, f"{line}\n".encode())

    def presses(self, keys: str) -> None:
        """Presses keys, without Enter."""
        os.write(self._ours, keys.encode())

    def becomes(self, columns: int) -> None:
        """Another width, of which the terminal tells the program."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def echoes(self) -> bool:
        """Whether it is in its usual mode, in which it shows what is typed and hands it over by lines."""
        modes: int = termios.tcgetattr(self._ours)[3]
        return bool(modes & termios.ECHO and modes & termios.ICANON)

    def ends(self) -> int:
        """Waits for its end. Returns the exit status."""
        deadline = time.monotonic() + _PATIENCE
        while self._more(deadline):
            assert time.monotonic() < deadline, self.screen
        return self.process.wait(timeout=10)

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, min(1.0, deadline - time.monotonic())))
        if not ready:
            return True
        data = b""
        with contextlib.suppress(OSError):  # EIO: the program has ended, and closed its side
            data = os.read(self._ours, 65536)
        self.raw += data
        return bool(data)
