"""The one connection of a process to its store: foreign code may strike at any point of an operation, raise, and ask."""

import contextlib
import sys
import threading

import pytest

from lakekey._single_flight import Busy, Flights
from lakekey.cache.stores import turns
from lakekey.cache.stores.turns import Turns
from support.waiting import until


class Connection:
    """A connection that only knows whether it is open, and in use."""

    in_use = False
    closed = True  # until it is made

    def __init__(self, made):
        made.append(self)
        self.closed = False

    def close(self):
        self.closed = True

    def ask(self):
        assert not self.closed
        assert not self.in_use, "two use one connection"
        self.in_use = True
        in_the_midst()
        self.in_use = False  # but not where it is cut off: half of an answer is left then
        return self


class Interruption(BaseException):
    """What a signal handler raises."""


class Asked:
    """Turns, and the connections that were made for them."""

    def __init__(self):
        self.turns = Turns()
        self.made = []

    def connect(self):
        return Connection(self.made)

    def operate(self):
        return self.turns.turn(self.connect, Connection.ask)

    def is_left_as_it_was(self):
        """Whether another thread gets its turn at once, and no connection is kept."""
        line, entered = self.turns._line, []

        def enter():
            entered.append(line.lock.acquire(blocking=False))
            if entered[0]:
                line.lock.release()

        other = threading.Thread(target=enter)
        other.start()
        other.join()
        return entered == [True] and line.connection is None and line.waiting == 0


def in_the_midst():
    """A point of an operation."""


class Strike:
    """Strikes at one of the points at which Python runs signal handlers: in a function, and after a call of C's."""

    FILES = (turns.__file__, contextlib.__file__, __file__)

    def __init__(self, point, act):
        self.left = point
        self.act = act
        self.where = ""

    def __call__(self, frame, event, _):
        if event in ("call", "c_return") and frame.f_code.co_filename in self.FILES:
            self.left -= 1
            if self.left == -1:
                self.where = f"{event}, line {frame.f_lineno} of {frame.f_code.co_filename}"
                self.act()


def strike_at_each_point(act, run, *, least):
    """Lets code act at the first point of a run, in the next run at the second, and so on."""
    point = 0
    while True:
        asked = Asked()
        strike = Strike(point, lambda asked=asked: act(asked))
        sys.setprofile(strike)
        cut_off = False
        try:
            run(asked)
        except Interruption:
            cut_off = True
        finally:
            sys.setprofile(None)
        assert cut_off or all(each.closed for each in asked.made)  # Python closes what could not be closed
        assert asked.is_left_as_it_was(), f"struck at {strike.where}"
        asked.operate()
        if strike.left >= 0:
            break
        point += 1
    assert point >= least


def raise_it(_):
    raise Interruption


def ask(asked):
    asked.operate()


def ask_and_raise(asked):
    asked.operate()
    raise Interruption


def once(asked):
    asked.operate()


def handed_on(asked):
    """Two operations, the first of which hands its connection on to the second."""
    with asked.turns.together():
        asked.operate()
        asked.operate()


@pytest.mark.parametrize("act", [raise_it, ask, ask_and_raise])
def test_code_that_interrupts_any_point_of_an_operation_leaves_no_lock_taken(act):
    strike_at_each_point(act, once, least=15)


def test_code_that_asks_at_any_point_between_two_operations_uses_no_connection_of_theirs():
    strike_at_each_point(ask, handed_on, least=35)


def test_connection_of_an_operation_that_was_cut_off_is_not_handed_on():
    asked = Asked()
    with asked.turns.together():
        first = asked.operate()
        assert asked.operate() is first
        with pytest.raises(Interruption):
            asked.turns.turn(asked.connect, raise_it)
        assert first.closed
        assert asked.operate() is not first


def test_forked_child_hangs_up_nothing_of_its_parents(monkeypatch):
    asked = Asked()
    with asked.turns.together():
        connection = asked.operate()
        line = asked.turns._line
        monkeypatch.setattr(line, "pid", line.pid + 1)  # what is this process's was made by another
    assert not connection.closed
    assert line.connection is connection


def test_thread_that_waits_no_longer_leaves_the_connection_to_the_one_whose_turn_it_is():
    asked, begun, goes_on = Asked(), threading.Event(), threading.Event()
    line = asked.turns._lines()

    def have_the_turn():
        with line.lock:
            begun.set()
            goes_on.wait(5.0)

    other = threading.Thread(target=have_the_turn)
    other.start()
    assert begun.wait(30.0)
    line.connection = connection = Connection([])
    line.hang_up()
    assert (line.connection, connection.closed) == (connection, False)
    goes_on.set()
    other.join()
    line.hang_up()
    assert (line.connection, connection.closed) == (None, True)


def test_connection_that_is_kept_for_a_thread_that_gives_up_waiting_is_closed():
    asked = Asked()
    asked.turns = Turns(patience=0.5)
    other = threading.Thread(target=asked.operate)

    class LookedAtLast(Connection):
        """The look at whether it can be handed on takes so long that the other thread gives up."""

        hung_up = False

        @property
        def closed(self):
            if other.ident is not None:
                other.join()
            return self.hung_up

        @closed.setter
        def closed(self, value):
            self.hung_up = value

    def operation(connection):
        other.start()
        until(lambda: asked.turns._line.waiting == 1 or len(asked.made) > 1)
        return connection

    connection = asked.turns.turn(lambda: LookedAtLast(asked.made), operation)
    assert len(asked.made) == 2
    assert connection.hung_up
    assert asked.is_left_as_it_was()


@pytest.mark.parametrize("began", [True, False], ids=["which has begun", "which this code begins"])
def test_code_that_interrupts_an_operation_waits_for_no_work_that_needs_the_store(began):
    asked, flights, results = Asked(), Flights(), []
    asks, is_over = threading.Event(), []

    def work(_):
        asks.set()
        connection = asked.operate()
        is_over.append(True)
        return connection

    def operation(_):
        if began:
            starter.start()
            assert asks.wait(30.0)
        try:
            results.append(flights.run("key", work, patience=60.0))
        except Busy:
            results.append("busy")
            assert not is_over

    starter = threading.Thread(target=lambda: results.append(flights.run("key", work, patience=60.0)))
    asked.turns.turn(asked.connect, operation)
    if began:
        starter.join(30.0)
        assert results[0] == "busy"
    assert isinstance(results[-1], Connection)
