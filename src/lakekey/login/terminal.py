"""The terminal that a person pastes into, read a line at a time.

A terminal in its usual (canonical) mode keeps at most 4,095 bytes of a line, 1,023 on macOS, and drops the rest. An
address with a code of Entra ID can be longer. So that mode is off while the sign-in waits, and what it does for the
person (echo, erasing) is done here.
"""

import atexit
import contextlib
import os
import select
import sys
from collections.abc import Callable
from typing import IO, Any

with contextlib.suppress(ModuleNotFoundError):  # POSIX alone has it
    import termios

_ERASE = (0x08, 0x7F)
_KILL, _END = 0x15, 0x04  # Ctrl-U, Ctrl-D
_LONGEST = 65536


class Terminal:
    """The terminal of this process, or what stands for it. Read only while a caller waits, and never a byte ahead."""

    def __init__(self) -> None:
        self._tty: IO[bytes] | None = None
        self._descriptor = self._find()
        self._buffer = b""
        self._usual: list[Any] | None = None
        self._output: int | None = None

    def _find(self) -> int:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            if sys.stdin.isatty():
                return sys.stdin.fileno()
        with contextlib.suppress(OSError):
            # A program whose input is a file still has a person at its terminal.
            self._tty = open("/dev/tty", "rb", buffering=0)  # noqa: SIM115 - closed by close()
            return self._tty.fileno()
        return sys.stdin.fileno()

    @property
    def idle(self) -> bool:
        """See `Input.idle`."""
        return not self._buffer and not self._in_background() and self._take_lines_whole()

    def line(self, timeout: float, begins: Callable[[], None] | None = None) -> str | None:
        """See `Input.line`."""
        if b"\n" not in self._buffer:
            edits = not self._in_background() and self._take_lines_whole()
            readable, _, _ = select.select([self._descriptor], [], [], timeout)
            if not readable or self._in_background():
                return None
            chunk = os.read(self._descriptor, 4096)
            if begins:
                begins()
            if edits:
                chunk = self._edit(chunk)
            elif not chunk:
                # A last line may end with the input instead of a line break.
                chunk = self._end()
            self._buffer = (self._buffer + chunk)[-_LONGEST:]
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        return line.decode(errors="replace")

    def _in_background(self) -> bool:
        # What is typed now is for another program of the terminal, and reading it would stop this one (SIGTTIN).
        try:
            return os.tcgetpgrp(self._descriptor) != os.getpgrp()
        except OSError:
            return False  # no terminal

    def close(self) -> None:
        """See `Input.close`."""
        self._restore()
        if self._output is not None:
            os.close(self._output)
            self._output = None
        if self._tty is not None:
            self._tty.close()

    def _end(self) -> bytes:
        if not self._buffer:
            raise EOFError
        return b"\n"

    def _edit(self, chunk: bytes) -> bytes:
        """What a terminal does in its usual mode: show what is typed, and let the person erase it."""
        line, self._buffer = bytearray(self._buffer), b""
        for byte in chunk:
            if byte in _ERASE:
                self._erase(line, 1)
            elif byte == _KILL:
                self._erase(line, len(line))
            elif byte == _END:
                if not line:
                    raise EOFError
                line.append(0x0A)
            else:
                line.append(byte)
                if byte == 0x0A or byte >= 0x20:
                    self._show(bytes((byte,)))
        return bytes(line)

    def _erase(self, line: bytearray, count: int) -> None:
        for _ in range(count):
            if not line or line[-1] == 0x0A:
                return
            while 0x80 <= line.pop() < 0xC0 and line:  # the rest of a character (RFC 3629 §3)
                pass
            self._show(b"\b \b")

    def _show(self, text: bytes) -> None:
        if self._output is not None:
            with contextlib.suppress(OSError):
                os.write(self._output, text)

    def _take_lines_whole(self) -> bool:
        """Leave the canonical mode, and again if a shell has restored it after Ctrl-Z. Returns whether it is left."""
        if sys.platform == "win32":
            return False
        try:
            now = termios.tcgetattr(self._descriptor)
            if not now[3] & termios.ICANON:
                return self._usual is not None
            if self._output is None:
                self._output = os.open(os.ttyname(self._descriptor), os.O_WRONLY | os.O_NOCTTY)
            changed = [*now[:6], list(now[6])]
            changed[3] &= ~(termios.ICANON | termios.ECHO)
            changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
            if self._usual is None:
                atexit.register(self._restore)
            self._usual = now
            termios.tcsetattr(self._descriptor, termios.TCSANOW, changed)
        except (OSError, ValueError, termios.error):
            return False  # not a terminal: lines come as they are
        return True

    def _restore(self) -> None:
        if self._usual is None or sys.platform == "win32":
            return
        atexit.unregister(self._restore)
        usual, self._usual = self._usual, None
        if not self._in_background():  # there, the terminal is another program's, and setting it would stop this one
            with contextlib.suppress(OSError, ValueError, termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSANOW, usual)
