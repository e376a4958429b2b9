"""Where no thread starts, the main thread makes the exchange: a signal at any line of that neither hangs nor loses."""

import contextlib
import linecache
import os
import signal
import sys
import threading

import pytest

from lakekey import _commitment
from lakekey._commitment import Latch
from lakekey._single_flight import Busy, Flights

PATIENCE = 5.0  # which is for the failure: no caller waits
ALARM = signal.SIGUSR1 if os.name == "posix" else signal.SIGBREAK
MODULES = ("_single_flight.py", "_inside_work.py", "_commitment.py", "_held_signals.py")


class Struck(BaseException):
    """What the handler raises."""


class Strike:
    """A tracer that sends a signal at the n-th line of these modules that is executed."""

    def __init__(self, line):
        self.left = line
        self.where = None

    def __call__(self, frame, event, _):
        code = frame.f_code.co_filename
        if not code.endswith(MODULES):
            return None
        text = linecache.getline(code, frame.f_lineno)
        # A tracer can strike where a signal cannot: before a statement that follows one without a call or a loop.
        if event == "line" and text.strip() != "try:" and "[number](" not in text:
            self.left -= 1
            if self.left == 0:
                self.where = f"{os.path.basename(code)}:{frame.f_lineno} {text.strip()}"
                signal.raise_signal(ALARM)
        return self


class Server:
    """Counts what was sent to it, and what was stored of its answers."""

    def __init__(self):
        self.sent = self.stored = 0

    def exchange(self, commitment):
        commitment.commit()
        self.sent += 1
        signal.raise_signal(signal.SIGINT)  # in the midst of it
        self.stored += 1
        commitment.settled()
        return "header"


@pytest.mark.usefixtures("no_threads")
def test_caller_does_the_work_at_once_where_no_thread_starts(monkeypatch):
    flights, looks, wait = Flights(), [], Latch.wait

    def waits(latch, *arguments):
        looks.append(latch.is_open)
        return wait(latch, *arguments)

    monkeypatch.setattr(Latch, "wait", waits)
    assert flights.run("key", lambda commitment: "header", patience=PATIENCE) == "header"
    assert looks == [True]


@pytest.mark.parametrize("where", ["the main thread", "another"])
def test_signals_are_held_back_where_the_main_thread_does_the_work(where):
    holds = []

    def run():
        with threading._active_limbo_lock:  # with a lock in hand a caller does the work itself
            Flights().run("key", lambda commitment: holds.append(commitment.holds_signals), patience=PATIENCE)

    if where == "another":
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    else:
        run()
    assert holds == [where == "the main thread"]


@pytest.mark.usefixtures("no_threads")
@pytest.mark.parametrize("how", ["raises", "asks"])
def test_a_signal_at_any_line_without_threads_neither_hangs_nor_loses(how):
    server, flights, came = Server(), Flights(), []

    def ctrl_c(*_):
        came.append("Ctrl-C")

    def alarm(*_):
        came.append("alarm")
        if how == "raises":
            raise Struck
        with contextlib.suppress(Busy):
            assert flights.run("key", server.exchange, patience=PATIENCE) == "header"

    before = signal.signal(ALARM, alarm), signal.signal(signal.SIGINT, ctrl_c)
    line = 0
    try:
        while True:
            line += 1
            came.clear()
            strike = Strike(line)
            sys.settrace(strike)
            try:
                with contextlib.suppress(Struck):
                    flights.run("key", server.exchange, patience=PATIENCE)
            finally:
                sys.settrace(None)
            assert server.sent == server.stored, strike.where
            assert not _commitment._in_the_air, strike.where
            assert (signal.getsignal(ALARM), signal.getsignal(signal.SIGINT)) == (alarm, ctrl_c), strike.where
            assert came.count("alarm") == (strike.left <= 0), strike.where
            assert flights.run("key", server.exchange, patience=PATIENCE) == "header", strike.where
            assert came.count("Ctrl-C") >= 1, strike.where
            if strike.left > 0:
                break
    finally:
        signal.signal(ALARM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert line > 100
