"""What a console of Windows brings: keys, and marks beside them. A real one is in tests/windows/test_console.py."""

import ctypes
import io
import os
import sys

import pytest

from lakekey.login import console
from lakekey.login.console import _without_marks

PASTED = "\x1b[200~https://localhost/?code=1\x1b[201~"


def read(*parts):
    """The keys that are left of what comes in parts, before a while in which nothing does."""
    keys = rest = ""
    for part in (*parts, ""):
        taken, rest = _without_marks(rest + part, more=bool(part))
        keys += taken
    assert rest == ""
    return keys


def test_marks_of_a_paste_are_passed_over_wherever_a_read_parts_them():
    for at in range(1, len(PASTED)):
        assert read(PASTED[:at], PASTED[at:], "\r") == "https://localhost/?code=1\r", at


@pytest.mark.parametrize("keys", ["\x1b", "wrong\x1b", "\x1b[20", "\x1bx\r", "\x1b[200\x1b", "[200~"])
def test_escape_and_what_only_begins_like_a_mark_stay_keys(keys):
    assert read(keys) == read(*keys) == keys


class _WindowsConsoleIO:
    """What Python reads a console of Windows by, known by its name."""


class Stream:
    def __init__(self, raw):
        self.raw = raw
        self.buffer = self


def test_console_is_known_by_what_python_reads_it_by(tmp_path):
    assert console.is_console(Stream(_WindowsConsoleIO()))
    with io.FileIO(tmp_path / "input", "w") as file:
        assert not console.is_console(Stream(file))
    assert not console.is_console(io.StringIO())
    assert not console.is_console(None)


KEY, MOUSE, ALT, OTHER = 1, 2, 0x12, 0x41


class Calls:
    """The calls of Windows for a console, with what was pressed there."""

    def __init__(self):
        self.pressed, self.waits, self.most = [], [], 0

    def press(self, text, *, kind=KEY, down=True, count=1, code=OTHER):
        self.pressed += [console._Record(kind, down, count, code, 0, letter, 0) for letter in text]

    def WaitForSingleObject(self, _handle, milliseconds):
        self.waits.append(milliseconds.value)

    def GetNumberOfConsoleInputEvents(self, _handle, number):
        ctypes.cast(number, ctypes.POINTER(ctypes.c_ulong))[0] = len(self.pressed)

    def ReadConsoleInputW(self, _handle, records, room, taken):
        self.most = max(self.most, room)
        count = min(room, len(self.pressed))
        for place in range(count):
            records[place] = self.pressed[place]
        del self.pressed[:count]
        ctypes.cast(taken, ctypes.POINTER(ctypes.c_ulong))[0] = count


class Screen(io.StringIO):
    """What is shown; the text of before the last flush."""

    shown = ""

    def flush(self):
        if not self.closed:
            self.shown = self.getvalue()


@pytest.fixture
def screen(monkeypatch):
    screen, opened = Screen(), []

    def open_(name, *_, **__):
        opened.append(name)
        return screen

    monkeypatch.setattr(console, "open", open_, raising=False)
    screen.opened = opened
    return screen


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setattr(console, "_calls", Calls())
    return console._calls


@pytest.fixture
def typed(monkeypatch, calls, screen):
    with open(os.devnull, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield console.Console()


@pytest.mark.console_keys
def test_lines_end_with_enter_and_are_shown_as_they_are_typed(typed, calls, screen):
    assert typed.idle
    assert typed.line(0.25) is None
    calls.press("ab\rcd\re")
    assert typed.line(0.5) == "ab"
    assert screen.shown == "ab\r\n"
    assert not typed.idle
    assert typed.line(1.0) == "cd"  # without a wait: it is here
    assert typed.line(2.0) is None
    assert calls.waits == [250, 500]
    assert (typed._keys, typed.idle) == ("", False)
    calls.press("\r")
    assert typed.line(2.0) == "e"
    assert calls.waits == [250, 500, 2000]
    assert (typed.idle, screen.shown, screen.opened) == (True, "ab\r\ncd\r\ne\r\n", ["CONOUT$"])


@pytest.mark.console_keys
def test_only_presses_count_and_a_letter_by_its_number_as_alt_is_released(typed, calls):
    calls.press("x", down=False)
    calls.press("x", kind=MOUSE)
    calls.press("\0")
    calls.press("\u00e9", down=False, code=ALT)
    calls.press("a", count=3)
    calls.press("\r")
    assert typed.line(0) == "\u00e9aaa"


@pytest.mark.console_keys
def test_long_paste_is_read_a_thousand_keys_at_a_time(typed, calls):
    calls.press("x" * 1500 + "\r")
    assert typed.line(0) is None
    assert typed.line(0) == "x" * 1500
    assert calls.most == 1024


@pytest.mark.console_keys
def test_erasing_takes_back_a_letter_or_the_line(typed, calls, screen):
    calls.press("\babc\b\bd\r")
    assert typed.line(0) == "ad"
    assert screen.shown == "abc\b \b\b \bd\r\n"
    calls.press("wrong\x1bright\r")
    assert typed.line(0) == "right"


@pytest.mark.console_keys
def test_ctrl_c_and_ctrl_z_end_it_and_other_controls_are_passed_over(typed, calls):
    calls.press("a\x1a\x01\x7fb\r")
    assert typed.line(0) == "a\x7fb"
    calls.press("\x1a")
    with pytest.raises(EOFError):
        typed.line(0)
    calls.press("a\x03")
    with pytest.raises(KeyboardInterrupt):
        typed.line(0)


@pytest.mark.console_keys
def test_line_has_an_end(typed, calls, screen, monkeypatch):
    monkeypatch.setattr(console, "_LONGEST", 3)
    calls.press("abcde\r")
    assert typed.line(0) == "abc"
    assert screen.shown == "abc\r\n"


@pytest.mark.console_keys
def test_caller_learns_that_something_is_typed(typed, calls):
    begun = []
    assert typed.line(0, lambda: begun.append("nothing")) is None
    calls.press("a")
    assert typed.line(0, lambda: begun.append("a")) is None
    assert begun == ["a"]


@pytest.mark.console_keys
def test_mark_that_is_read_in_two_parts_is_passed_over(typed, calls):
    calls.press("\x1b[20")
    assert typed.line(0) is None
    assert not typed.idle
    calls.press("0~a\r")
    assert typed.line(0) == "a"


@pytest.mark.console_keys
def test_screen_is_closed_where_there_is_one_and_a_line_is_read_without(typed, calls, screen, monkeypatch):
    def refuse(*_, **__):
        raise OSError(6, "no console")

    with monkeypatch.context() as patch:
        patch.setattr(console, "open", refuse, raising=False)
        calls.press("a\r")
        assert typed.line(0) == "a"
    typed.close()
    calls.press("b\r")
    assert typed.line(0) == "b"
    typed.close()
    assert screen.closed
