"""The time that is left for a sign-in, as each kind of screen can show it."""

import io
import sys
from types import SimpleNamespace

import pytest

from lakekey._single_flight import Commitment
from lakekey.login import screen as screens
from lakekey.login.screen import Countdown, Counting, can_count
from support.model import Clock


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


class Cell(io.StringIO):
    """What a notebook's kernel has in the place of a terminal."""

    __module__ = "ipykernel.iostream"


@pytest.fixture
def clock():
    return Clock()


def at_a_terminal(monkeypatch, kind):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stderr", Screen())
    return sys.stderr


def in_a_notebook(monkeypatch, stream):
    kernel = type("Kernel", (), {"_allow_stdin": True})
    shell = type("Shell", (), {"kernel": kernel})
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: shell)}))
    monkeypatch.setattr(sys, "stderr", stream)


def count(clock, seconds, stop=0):
    """Waits to the end, or until some seconds are left, with the clock's every second."""
    with Countdown(clock.monotonic() + seconds, clock.monotonic) as countdown:
        for _ in range(seconds - stop):
            countdown.tick()
            clock.true += 1
        countdown.tick()


def on_the_line(written):
    """What stands on the line at each time that it was written over, as wide as it was."""
    shown, line = [], ""
    for text in written.split("\r")[1:]:
        line = text + line[len(text) :]
        shown.append(line)
    return shown


@pytest.mark.terminal_kinds
def test_dumb_terminal_is_told_whenever_half_of_the_time_has_gone(monkeypatch, clock):
    screen = at_a_terminal(monkeypatch, "dumb")
    assert not can_count()
    count(clock, 120)
    assert screen.getvalue() == "".join(f"{left} s left, Ctrl-C ends it.\n" for left in (60, 30, 15))


@pytest.mark.terminal_kinds
def test_dumb_terminal_that_was_suspended_is_told_what_is_left(monkeypatch, clock):
    screen = at_a_terminal(monkeypatch, "dumb")
    with Countdown(clock.monotonic() + 120, clock.monotonic) as countdown:
        countdown.tick()
        clock.true += 100
        countdown.tick()
        countdown.tick()
    assert screen.getvalue() == "20 s left, Ctrl-C ends it.\n"


def test_log_is_not_told_again(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    count(clock, 120)
    assert sys.stderr.getvalue() == ""


def test_cell_of_a_notebook_counts_down_on_one_line_and_leaves_it_blank(monkeypatch, clock):
    in_a_notebook(monkeypatch, Cell())
    assert can_count()
    count(clock, 101, stop=98)
    *shown, cleared, _ = on_the_line(sys.stderr.getvalue())
    words = "Waiting for you in the browser: {} s left, interrupt the cell to end it."
    assert [line.rstrip() for line in shown] == [words.format(left) for left in (101, 100, 99, 98)]
    assert cleared.strip() == ""


def test_line_that_does_not_end_is_flushed(monkeypatch, clock):
    cell, flushed = Cell(), []
    monkeypatch.setattr(cell, "flush", lambda: flushed.append(cell.getvalue()))
    in_a_notebook(monkeypatch, cell)
    with Countdown(clock.monotonic() + 5, clock.monotonic) as countdown:
        countdown.tick()
        assert flushed == [cell.getvalue()] != [""]


def test_stream_that_a_notebook_has_led_elsewhere_is_left_alone(monkeypatch, clock):
    in_a_notebook(monkeypatch, io.StringIO())
    assert not can_count()
    count(clock, 5)
    assert sys.stderr.getvalue() == ""


def test_line_that_is_written_over_by_blanks_is_narrower_than_a_terminal_that_has_shrunk(monkeypatch, clock):
    """A console of Windows without escapes, of which a cell takes the place here."""
    in_a_notebook(monkeypatch, Cell())
    monkeypatch.setattr(Cell, "isatty", lambda _: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")
    with Countdown(clock.monotonic() + 50, clock.monotonic) as countdown:
        countdown.tick()
        monkeypatch.setenv("COLUMNS", "30")
        clock.true += 1
        countdown.tick()
    after = sys.stderr.getvalue().split("\r")[2:]
    assert len(after[0]) == 29
    assert all(len(text) < 30 for text in after)


def test_stream_that_is_gone_ends_no_sign_in(monkeypatch, clock):
    closed = at_a_terminal(monkeypatch, "xterm")
    with Countdown(clock.monotonic() + 5, clock.monotonic) as countdown:
        countdown.tick()
        closed.close()
        clock.true += 1
        countdown.tick()


def test_stream_that_is_gone_is_written_to_no_more(monkeypatch, clock):
    tries = []

    def write(text):
        tries.append(text)
        raise OSError

    cell = Cell()
    monkeypatch.setattr(cell, "write", write)
    in_a_notebook(monkeypatch, cell)
    count(clock, 5)
    assert len(tries) == 2  # the line, and its end


@pytest.mark.terminal_kinds
def test_terminal_counts_down_on_one_line_and_clears_it(monkeypatch, clock):
    screen = at_a_terminal(monkeypatch, "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    count(clock, 2)
    lines = [f"Waiting for you in the browser: {left} s left, Ctrl-C ends it. " for left in (2, 1, 0)]
    assert screen.getvalue().split("\r\x1b[K") == ["", *lines, ""]


@pytest.mark.terminal_kinds
def test_line_says_as_much_as_fits(monkeypatch, clock):
    for columns, line in ((34, "12 s left, Ctrl-C ends it. "), (27, "12 s left ")):
        screen = at_a_terminal(monkeypatch, "xterm")
        monkeypatch.setenv("COLUMNS", str(columns))
        with Countdown(clock.monotonic() + 12, clock.monotonic) as countdown:
            countdown.tick()
            assert screen.getvalue() == f"\r\x1b[K{line}"


@pytest.mark.terminal_kinds
def test_line_is_written_once_a_second_and_again_after_it_was_cleared(monkeypatch, clock):
    screen = at_a_terminal(monkeypatch, "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    with Countdown(clock.monotonic() + 12, clock.monotonic) as countdown:
        countdown.clear()
        for _ in range(2):
            countdown.tick()
            countdown.tick()
            countdown.clear()
            countdown.clear()
    assert screen.getvalue().split("\r\x1b[K") == ["", *["12 s left, Ctrl-C ends it. ", ""] * 2]


@pytest.mark.terminal_kinds
@pytest.mark.parametrize(("seconds", "told"), [(20, [10]), (19, [])])
def test_dumb_terminal_is_told_of_ten_seconds_at_least(monkeypatch, clock, seconds, told):
    screen = at_a_terminal(monkeypatch, "dumb")
    count(clock, seconds)
    assert screen.getvalue() == "".join(f"{left} s left, Ctrl-C ends it.\n" for left in told)


@pytest.mark.terminal_kinds
def test_pause_of_a_commitment_counts_down(monkeypatch, clock):
    class Noted(Commitment):
        def pause(self, seconds):
            pauses.append(seconds)
            clock.true += seconds

    screen, pauses = at_a_terminal(monkeypatch, "xterm"), []
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(screens, "time", SimpleNamespace(monotonic=clock.monotonic))
    with Countdown(clock.monotonic() + 9, clock.monotonic) as countdown:
        counting = Counting(Noted(), countdown)
        counting.pause(2.5)
        counting.pause(0.0)
    assert pauses == [1.0, 1.0, 0.5, 0.0]
    lines = [f"{left} s left, Ctrl-C ends it. " for left in (9, 8, 7, 6)]
    assert screen.getvalue().split("\r\x1b[K") == ["", *lines, ""]
