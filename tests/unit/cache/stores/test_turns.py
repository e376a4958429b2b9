"""The one connection of a process to its store: foreign code that strikes in an operation waits for no other thread."""

import sys
import threading
import time

import pytest

from lakekey._single_flight import Busy, Flights
from lakekey.cache.stores import turns
from lakekey.cache.stores.turns import Turns

AT_ONCE = 2.0


class Connection:
    """A connection that only knows whether it is open."""

    closed = False

    def close(self):
        self.closed = True


class Interruption(BaseException):
    """What a signal handler raises."""


def operate(the_turns):
    with the_turns.turn(Connection) as connection:
        return connection


def test_code_that_strikes_in_an_operation_has_a_connection_of_its_own_at_once():
    the_turns = Turns()
    began = time.monotonic()
    with the_turns.turn(Connection) as first:
        second = operate(the_turns)
        assert (second is first, second.closed, first.closed) == (False, True, False)
    assert first.closed
    assert time.monotonic() - began < AT_ONCE


def test_an_interruption_at_any_point_of_an_operation_keeps_no_other_thread_waiting():
    point = 0
    while True:
        the_turns, strike = Turns(), Strike(point)
        sys.setprofile(strike)
        try:
            operate(the_turns)
        except Interruption:
            pass
        finally:
            sys.setprofile(None)
        operate(the_turns)  # this thread's next one
        assert other_thread_enters(the_turns), f"struck at {strike.where}"
        if strike.left >= 0:
            break
        point += 1
    assert point > 8


class Strike:
    """Raises at one of the points at which Python runs signal handlers: in a function, and after a call of C's."""

    def __init__(self, point):
        self.left = point
        self.where = ""

    def __call__(self, frame, event, _):
        if event in ("call", "c_return") and frame.f_code.co_filename == turns.__file__:
            self.left -= 1
            if self.left == -1:
                self.where = f"{event}, line {frame.f_lineno}"
                raise Interruption


def other_thread_enters(the_turns):
    entered = []
    other = threading.Thread(target=lambda: entered.append(the_turns._lock.acquire(timeout=0)))
    other.start()
    other.join()
    return entered == [True]


@pytest.mark.parametrize("began", [True, False], ids=["which has begun", "which this code begins"])
def test_code_that_strikes_in_an_operation_waits_for_no_work_that_needs_the_store(began):
    the_turns, flights, results = Turns(), Flights(), []
    asks = threading.Event()

    def work(_):
        asks.set()
        return operate(the_turns)

    starter = threading.Thread(target=lambda: results.append(flights.run("key", work, patience=60.0)))
    with the_turns.turn(Connection):
        if began:
            starter.start()
            assert asks.wait(30.0)
        before = time.monotonic()
        try:
            results.append(flights.run("key", work, patience=60.0))
        except Busy:
            results.append("busy")
        assert time.monotonic() - before < AT_ONCE
    if began:
        starter.join(30.0)
        assert results[0] == "busy"
    assert isinstance(results[-1], Connection)
