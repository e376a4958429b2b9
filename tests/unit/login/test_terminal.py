"""A terminal that a person pastes into: whole lines, however long, and the usual ways to correct one."""

import atexit
import contextlib
import os
import select
import sys
import threading
import time

import pytest

from lakekey.login import terminal as module
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
     ("ab\u20ac\x7fc\n", "abc"), ("ab\u2000\x7fc\n", "abc"), ("abc\x04", "abc")],
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


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("ab\x7fc\n", b"ab\b \bc\r\n"), ("ab\x15c\n", b"ab\b \b\b \bc\r\n"), ("\x7f\x15\x01a \n", b"a \r\n")],
)
def test_correction_is_shown(screen, typed, shown):
    with waiting() as terminal:
        screen.type(typed)
        next_line(terminal)
        until(lambda: b"\n" in screen.shown)
    assert screen.shown == shown


def test_line_is_idle_until_something_is_typed_and_again_after_its_end(screen):
    with waiting() as terminal:
        assert terminal.idle
        screen.type("ab")
        until(lambda: terminal.line(0.01) or not terminal.idle)
        screen.type("\n")
        assert next_line(terminal) == "ab"
        assert terminal.idle


def test_line_is_idle_as_soon_as_it_is_asked(screen):
    with contextlib.closing(Terminal()) as terminal:
        assert terminal.idle


def test_caller_hears_of_what_is_typed_before_it_is_shown(screen):
    heard = []
    with waiting() as terminal:
        assert terminal.line(0, lambda: heard.append("nothing")) is None
        screen.type("abc\n")
        until(lambda: terminal.line(0.05, lambda: heard.append(bytes(screen.shown))) == "abc")
    assert heard[0] == b""


def test_key_is_read_at_once_and_alone(screen):
    with waiting():
        keys = termios.tcgetattr(screen.slave)[6]
    assert (keys[termios.VMIN], keys[termios.VTIME]) == (1, 0)


class Elsewhere:
    """Says which program the terminal belongs to; this one while ``here`` has no more answers."""

    def __init__(self, monkeypatch):
        self.here = []
        monkeypatch.setattr(os, "tcgetpgrp", self._group)

    def _group(self, _descriptor):
        return os.getpgrp() + (not self.here.pop(0) if self.here else 0)


@pytest.fixture
def elsewhere(monkeypatch):
    return Elsewhere(monkeypatch)


def test_in_the_background_nothing_is_read_and_the_terminal_is_left_alone(screen, elsewhere):
    usual = screen.local_modes()
    with contextlib.closing(Terminal()) as terminal:
        screen.type("abc\n")
        until(lambda: select.select([screen.slave], [], [], 0)[0])
        elsewhere.here = [False] * 3
        assert not terminal.idle
        assert terminal.line(0) is None
        assert elsewhere.here == [], "it has looked each time"
        assert screen.local_modes() == usual
        assert next_line(terminal) == "abc"


def test_program_that_is_sent_to_the_background_while_it_waits_reads_nothing(screen, elsewhere):
    with waiting() as terminal:
        screen.type("abc\n")
        until(lambda: select.select([screen.slave], [], [], 0)[0])
        elsewhere.here = [True, False]
        assert terminal.line(PATIENCE) is None
        assert next_line(terminal) == "abc"


def test_program_that_ends_in_the_background_does_not_set_the_terminal(screen, elsewhere):
    with waiting():
        elsewhere.here = [False]
    assert not screen.local_modes()


def test_terminal_is_restored_as_the_program_ends_as_well(screen, monkeypatch):
    usual = termios.tcgetattr(screen.slave)
    at_exit = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    with waiting() as terminal:
        assert at_exit == [terminal._restore]
        termios.tcsetattr(screen.slave, termios.TCSANOW, usual)
        assert terminal.line(0) is None
        assert at_exit == [terminal._restore], "once"
    assert at_exit == []


def test_terminal_that_another_program_has_set_is_taken_as_it_is(screen):
    modes = termios.tcgetattr(screen.slave)
    modes[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(screen.slave, termios.TCSANOW, modes)
    with waiting() as terminal:
        assert not terminal.idle
        screen.type("ab\x7f\n")
        assert next_line(terminal) == "ab\x7f"
    assert not screen.local_modes()


def test_terminal_that_is_closed_twice_closes_no_file_of_another(screen):
    with waiting() as terminal:
        terminal.close()
        with open(os.devnull, "rb") as other:
            terminal.close()
            assert other.read() == b""


# Where standard input is no terminal


@pytest.fixture
def piped(monkeypatch):
    """The other end of the pipe that standard input is, where there is no terminal."""
    monkeypatch.setattr(module, "open", no_terminal, raising=False)
    reading, writing = os.pipe()
    with open(reading) as stdin, open(writing, "wb", buffering=0) as piped:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield piped


def no_terminal(*_, **__):
    raise OSError


def test_lines_of_a_pipe_come_as_they_are_and_the_last_may_lack_its_end(piped):
    with contextlib.closing(Terminal()) as terminal:
        assert not terminal.idle
        piped.write(b"ab\x7f\ncd\nef")
        assert [terminal.line(PATIENCE), terminal.line(0), terminal.line(0)] == ["ab\x7f", "cd", None]
        piped.close()
        assert terminal.line(PATIENCE) == "ef"
        with pytest.raises(EOFError):
            terminal.line(PATIENCE)


def test_of_a_line_without_an_end_so_much_is_kept(piped):
    with contextlib.closing(Terminal()) as terminal:
        for _ in range(20):
            piped.write(b"a" * 4096)
            assert terminal.line(PATIENCE) is None
        piped.write(b"b\n")
        assert len(terminal.line(PATIENCE)) == 65535


def without_taking_it(path, flags):
    # As the tests' own, it would end them with its other end.
    return os.open(path, flags | os.O_NOCTTY)


def test_program_whose_input_is_a_file_has_a_person_at_its_terminal(screen, monkeypatch):
    asked = []

    def terminal_of_the_program(name, *how, **more):
        asked.append(name)
        return open(os.ttyname(screen.slave), *how, opener=without_taking_it, **more)

    monkeypatch.setattr(module, "open", terminal_of_the_program, raising=False)
    with open(os.devnull) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with waiting() as terminal:
            screen.type("abc\n")
            assert next_line(terminal) == "abc"
            tty = terminal._tty
        assert tty.closed
    assert asked == ["/dev/tty"]
