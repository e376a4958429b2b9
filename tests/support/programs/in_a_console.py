"""Runs a program of Windows in a console of its own, types there, and tells what it shows.

Arguments: the port on loopback where the test listens, and the program. The console has no window. The test sends
lists of JSON, a line each: a word, and what it needs; each is answered by a line of JSON.
"""

import ctypes
import json
import re
import signal
import socket
import subprocess
import sys
from ctypes import byref, wintypes

_INSIDE = "inside"
_VIRTUAL_TERMINAL = 0x4
_KEY, _RETURN = 1, 0x0D
_READ_AND_WRITE, _SHARED, _EXISTING = 0xC0000000, 0x3, 3


class _Place(ctypes.Structure):
    _fields_ = (("x", ctypes.c_short), ("y", ctypes.c_short))


class _Info(ctypes.Structure):
    _fields_ = (
        ("size", _Place),
        ("cursor", _Place),
        ("colour", wintypes.WORD),
        ("window", ctypes.c_short * 4),
        ("largest", _Place),
    )


class _Key(ctypes.Structure):
    _fields_ = (
        ("kind", wintypes.WORD),
        ("down", wintypes.BOOL),
        ("count", wintypes.WORD),
        ("code", wintypes.WORD),
        ("scan", wintypes.WORD),
        ("letter", wintypes.WCHAR),
        ("shifts", wintypes.DWORD),
    )


class Console:
    """The console of this process, and the program in it."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._program: subprocess.Popen[bytes] | None = None
        self._calls = ctypes.WinDLL("kernel32", use_last_error=True)
        self._calls.CreateFileW.restype = wintypes.HANDLE
        self._output, self._input = (
            wintypes.HANDLE(self._calls.CreateFileW(name, _READ_AND_WRITE, _SHARED, None, _EXISTING, 0, None))
            for name in ("CONOUT$", "CONIN$")
        )

    def start(self, page: int, *, escapes: bool) -> None:
        """Start the program, in a code page, and in a console that says of itself that it shows escapes, or not."""
        mode = wintypes.DWORD()
        self._calls.GetConsoleMode(self._output, byref(mode))
        self._calls.SetConsoleMode(self._output, mode.value & ~_VIRTUAL_TERMINAL | _VIRTUAL_TERMINAL * escapes)
        self._calls.SetConsoleCP(page)
        self._calls.SetConsoleOutputCP(page)
        self._program = subprocess.Popen(self._command)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes to all programs of a console

    def look(self) -> dict[str, object]:
        """The rows that have been written to, their colours, and the program's exit status, if it has ended."""
        status = self._program.poll()
        info, taken = _Info(), wintypes.DWORD()
        self._calls.GetConsoleScreenBufferInfo(self._output, byref(info))
        rows, colours = [], set()
        for y in range(info.cursor.y + 1):
            letters = ctypes.create_unicode_buffer(info.size.x + 1)
            of_letters = (wintypes.WORD * info.size.x)()
            self._calls.ReadConsoleOutputCharacterW(self._output, letters, info.size.x, _Place(0, y), byref(taken))
            self._calls.ReadConsoleOutputAttribute(self._output, of_letters, info.size.x, _Place(0, y), byref(taken))
            rows.append(letters.value)
            colours.update(of_letters)
        return {"rows": rows, "colours": sorted(colours), "status": status}

    def type(self, text: str, *, held: bool) -> None:
        """Type a text. A letter that comes twice is a key that is held down, or not: Wine's own lines count it once."""
        typed = [found[0] for found in re.finditer(r"(?s)(.)\1?" if held else r"(?s).", text)]
        pressed = [(letters[0], len(letters), down) for letters in typed for down in (True, False)]
        keys = (_Key * len(pressed))(
            *((_KEY, down, count, _RETURN if letter == "\r" else 0, 0, letter, 0) for letter, count, down in pressed)
        )
        self._calls.WriteConsoleInputW(self._input, keys, len(keys), byref(wintypes.DWORD()))

    def press_ctrl_c(self) -> None:
        """Ctrl-C, to all programs of this console. Wine has no way to send Ctrl-Break."""
        self._calls.GenerateConsoleCtrlEvent(signal.CTRL_C_EVENT, 0)

    def kill(self) -> None:
        """End the program."""
        self._program.kill()


def inside(port: str, command: list[str]) -> None:
    """Does what the test says, until it says no more."""
    console = Console(command)
    with socket.create_connection(("127.0.0.1", int(port))) as connection, connection.makefile("rw") as wires:
        for line in wires:
            word, *arguments = json.loads(line)
            options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            json.dump(getattr(console, word)(*arguments, **options), wires)
            wires.write("\n")
            wires.flush()


def main() -> None:
    """Starts itself once more, with a console."""
    if sys.argv[1] == _INSIDE:
        inside(sys.argv[2], sys.argv[3:])
    else:
        again = [sys.executable, "-m", "support.programs.in_a_console", _INSIDE, *sys.argv[1:]]
        subprocess.run(again, creationflags=subprocess.CREATE_NO_WINDOW, check=True)


if __name__ == "__main__":
    main()
