"""A terminal that a person pastes into: whole lines, however long, and the usual ways to correct one."""

import contextlib
import os
import sys
import threading
import time

import pytest

from lakekey.login.terminal import Terminal
from support.waiting import until

if os.name == "posix":
    import pty
    import termios

pytestmark = pytest.mark.pseudo_terminal

PATIENCE = 20


@pytest.fixture
def screen(monkeypatch):
    """The other end of the terminal that standard input is; what it shows is collected."""
    shown = Screen()
    with open(shown.slave, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield shown
    shown.close()


class Screen:
    """Types into a terminal, and sees what it shows."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.shown = bytearray()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self):
        with contextlib.suppress(OSError):
            while chunk := os.read(self.master, 4096):
                self.shown += chunk

    def type(self, text):
        """Types without waiting for a reader, as a terminal program does."""
        threading.Thread(target=self._type, args=(text.encode(),), daemon=True).start()

    def _type(self, data):
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self.master, data[:1000]) :]

    def local_modes(self):
        return termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def close(self):
        os.close(self.slave)
        self._watcher.join(PATIENCE)  # before its number is another terminal's, whose echo it would take
        os.close(self.master)


def next_line(terminal):
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if (line := terminal.line(0.05)) is not None:
            return line
    raise AssertionError("no line came")


@contextlib.contextmanager
def waiting():
    terminal = Terminal()
    assert terminal.line(0) is None  # from here on it waits
    try:
        yield terminal
    finally:
        terminal.close()


def test_line_longer_than_a_terminal_keeps_is_whole(screen):
    address = "http://localhost:8020/?code=" + "c" * 6000
    with waiting() as terminal:
        screen.type(f"{address}\n")
        assert next_line(terminal) == address


def test_what_is_typed_is_shown(screen):
    with waiting() as terminal:
        screen.type("a code\x1b[2J\n")
        next_line(terminal)
        until(lambda: b"\n" in screen.shown)
    assert screen.shown == b"a code[2J\r\n"


@pytest.mark.parametrize(
    ("typed", "line"),
    [("abx\x7fc\n", "abc"), ("x\x08abc\n", "abc"), ("wrong\x15abc\n", "abc"), ("\x7f\x15abc\n", "abc"),
     ("ab\u20ac\x7fc\n", "abc"), ("abc\x04", "abc")],
)  # fmt: skip
def test_line_can_be_corrected(screen, typed, line):
    with waiting() as terminal:
        screen.type(typed)
        assert next_line(terminal) == line


def test_line_typed_before_is_not_erased_by_the_next(screen):
    with waiting() as terminal:
        screen.type("abc\n\x15def\n")
        assert [next_line(terminal), next_line(terminal)] == ["abc", "def"]


def test_control_d_on_an_empty_line_ends_the_input(screen):
    with waiting() as terminal:
        screen.type("\x04")
        with pytest.raises(EOFError):
            next_line(terminal)


def test_terminal_is_left_as_it_was(screen):
    before = screen.local_modes()
    assert before
    with waiting():
        assert not screen.local_modes()
    assert screen.local_modes() == before


def test_terminal_that_a_shell_has_reset_is_set_again(screen):
    usual = termios.tcgetattr(screen.slave)
    with waiting() as terminal:
        termios.tcsetattr(screen.slave, termios.TCSANOW, usual)  # as after Ctrl-Z and fg
        assert terminal.line(0) is None
        assert not screen.local_modes()
        screen.type("c" * 6000 + "\n")
        assert next_line(terminal) == "c" * 6000
