"""The console of Windows that a person pastes into, read a key at a time.

In its usual mode, a console shows what is typed only while a program waits for the whole line. Such a wait cannot be
called off, and its question stands where a line could count down. So what the console does for the person (echo,
erasing) is done here.
"""

import contextlib
import sys
from collections.abc import Callable
from typing import IO, Any

_ENTER, _ERASE, _CLEAR, _END, _STOP = "\r", "\b", "\x1b", "\x1a", "\x03"  # \x1a: Ctrl-Z
_LONGEST = 65536
# What stands around a text that is pasted where a program has left virtual-terminal input on.
_BEFORE_PASTED, _AFTER_PASTED = "\x1b[200~", "\x1b[201~"

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import byref, wintypes

    _KEY, _ALT = 1, 0x12  # a letter that is typed by its number comes as Alt is released
    _AT_ONCE = 1024  # keys; a call for each would make a long address take minutes

    class _Record(ctypes.Structure):
        """An event of a console's input (``INPUT_RECORD``), read as one of a key."""

        _fields_ = (
            ("kind", wintypes.WORD),
            ("down", wintypes.BOOL),
            ("count", wintypes.WORD),
            ("code", wintypes.WORD),
            ("scan", wintypes.WORD),
            ("letter", wintypes.WCHAR),
            ("shifts", wintypes.DWORD),
        )

    _calls = ctypes.WinDLL("kernel32")

    class Console:
        """The console that standard input is. Read only while a caller waits."""

        def __init__(self) -> None:
            self._input = wintypes.HANDLE(msvcrt.get_osfhandle(sys.stdin.fileno()))
            self._output: IO[str] | None = None
            self._keys = ""
            self._rest = ""  # the beginning of a mark, perhaps; if no more of it comes, they are keys
            self._line = ""

        @property
        def idle(self) -> bool:
            """See `Input.idle`."""
            return not self._keys and not self._rest and not self._line

        def line(self, timeout: float, begins: Callable[[], None] | None = None) -> str | None:
            """See `Input.line`."""
            if not self._keys:
                _calls.WaitForSingleObject(self._input, wintypes.DWORD(int(timeout * 1000)))
                pressed = self._pressed()
                self._keys, self._rest = _without_marks(self._rest + pressed, more=bool(pressed))
            if self._keys and begins:
                begins()
            taken, enter, self._keys = self._keys.partition(_ENTER)
            self._edit(taken)
            if not enter:
                return None
            self._show("\r\n")
            line, self._line = self._line, ""
            return line

        def close(self) -> None:
            """See `Input.close`."""
            if self._output is not None:
                self._output.close()

        def _pressed(self) -> str:
            waiting, taken = wintypes.DWORD(), wintypes.DWORD()
            _calls.GetNumberOfConsoleInputEvents(self._input, byref(waiting))
            if not waiting.value:
                return ""
            records = (_Record * min(waiting.value, _AT_ONCE))()
            _calls.ReadConsoleInputW(self._input, records, len(records), byref(taken))
            keys = (each for each in records[: taken.value] if each.kind == _KEY and each.letter != "\0")
            return "".join(each.letter * each.count for each in keys if each.down or each.code == _ALT)

        def _edit(self, keys: str) -> None:
            shown = ""
            for key in keys:
                if key == _STOP:  # a program has switched off that Ctrl-C is a signal
                    raise KeyboardInterrupt
                if key == _END and not self._line:
                    raise EOFError
                if key in (_ERASE, _CLEAR):
                    erased = self._line[-1 if key == _ERASE else 0 :]
                    self._line = self._line.removesuffix(erased)
                    shown += "\b \b" * len(erased)
                elif key >= " " and len(self._line) < _LONGEST:
                    self._line += key
                    shown += key
            self._show(shown)

        def _show(self, text: str) -> None:
            if not text:
                return
            with contextlib.suppress(OSError):
                if self._output is None:
                    self._output = open("CONOUT$", "w", encoding="utf-8", errors="replace", newline="")  # noqa: SIM115
                self._output.write(text)
                self._output.flush()


def is_console(stream: Any) -> bool:
    """Whether a stream of Python's reads from a console of Windows, and not from a pipe, a file or the null device."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return type(raw).__name__ == "_WindowsConsoleIO"


def _without_marks(keys: str, *, more: bool) -> tuple[str, str]:
    """Keys without the marks around what is pasted (xterm's bracketed paste mode), which begin as Escape does.

    Args:
        keys: What was pressed.
        more: Whether the rest of a mark may follow: it may be read in two parts.

    Returns:
        The keys, and the beginning of a mark with which they end.
    """
    keys = keys.replace(_BEFORE_PASTED, "").replace(_AFTER_PASTED, "")
    if not more:
        return keys, ""
    begun = [mark[:length] for mark in (_BEFORE_PASTED, _AFTER_PASTED) for length in range(1, len(mark))]
    rest = max((each for each in begun if keys.endswith(each)), key=len, default="")
    return keys.removesuffix(rest), rest
