"""A caller whose wait is interrupted leaves: what was not sent is cancelled, and other callers get a result."""

import ctypes
import threading

import pytest

from lakekey._inside_work import holding, later
from lakekey._single_flight import Cancelled, Flights
from support.waiting import until

LONG = 30.0


class Terminated(BaseException):
    """What a handler of SIGTERM raises."""


class Caller(threading.Thread):
    """A thread that asks for the result of work, and may be interrupted while it waits."""

    def __init__(self, flights, work):
        super().__init__()
        self._flights, self._work = flights, work
        self.got = None
        self.start()

    def run(self):
        try:
            self.got = self._flights.run("key", self._work, patience=LONG)
        except BaseException as error:
            self.got = error

    def interrupt(self, kind):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(kind))

    def result(self):
        self.join(2 * LONG)
        assert not self.is_alive()
        return self.got


class Interruptible:
    """Work that a test holds up before anything is sent, or with an answer on its way."""

    def __init__(self, *, sends):
        self.begun, self.go_on, self._sends, self.done = threading.Event(), threading.Event(), sends, []

    def __call__(self, commitment):
        if self._sends:
            commitment.commit()
        self.begun.set()
        try:
            if self._sends:
                self.go_on.wait(LONG)
            while not self.go_on.is_set():
                commitment.pause(0.01)
        except Cancelled:
            threading.Event().wait(0.1)  # tidying up takes a moment
            later(lambda: self.done.append("told"))
            self.done.append("tidied up")
            raise
        return "done"


def test_interrupted_caller_cancels_its_work_and_gives_it_time_to_tidy_up():
    flights, work = Flights(grace=LONG), Interruptible(sends=False)
    caller = Caller(flights, work)
    assert work.begun.wait(LONG)
    caller.interrupt(KeyboardInterrupt)
    assert isinstance(caller.result(), KeyboardInterrupt)
    assert work.done == ["tidied up", "told"]


def test_interrupted_caller_leaves_the_work_to_another_that_waits_for_it():
    flights, work = Flights(), Interruptible(sends=False)
    first = Caller(flights, work)
    assert work.begun.wait(LONG)
    second = Caller(flights, work)
    until(lambda: len(flights._running["key"].waiters) == 2)
    first.interrupt(KeyboardInterrupt)
    assert isinstance(first.result(), KeyboardInterrupt)
    work.go_on.set()
    assert second.result() == "done"


def test_interruption_of_a_caller_that_does_the_work_itself_has_others_start_again():
    flights, begun = Flights(), threading.Event()

    def work(_):
        if begun.is_set():
            return "done"
        begun.set()
        until(lambda: len(flights._running["key"].waiters) == 2)
        raise KeyboardInterrupt

    class Burdened(Caller):
        def run(self):
            with holding():
                super().run()

    first = Burdened(flights, work)
    assert begun.wait(LONG)
    second = Caller(flights, work)
    assert isinstance(first.result(), KeyboardInterrupt)
    assert second.result() == "done"


def test_signal_to_end_is_not_lost_behind_a_ctrl_c_that_waits_for_the_answer(monkeypatch):
    flights, work = Flights(), Interruptible(sends=True)
    caller = Caller(flights, work)
    assert work.begun.wait(LONG)
    flight = flights._running["key"]
    wait = flight.finished.wait

    def terminated(*arguments):
        if not flight.waiters and not work.go_on.is_set():  # the caller has left, and waits for the answer
            work.go_on.set()
            raise Terminated
        return wait(*arguments)

    monkeypatch.setattr(flight.finished, "wait", terminated)
    caller.interrupt(KeyboardInterrupt)
    assert isinstance(caller.result(), Terminated)


def test_interruption_before_the_work_has_begun_has_others_start_again(monkeypatch):
    flights, others = Flights(), []
    start = threading.Thread.start

    def interrupted(thread):
        if thread.name != "lakekey-exchange" or others:
            start(thread)
            return
        others.append(Caller(flights, lambda commitment: "done"))
        until(lambda: len(flights._running["key"].waiters) == 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        flights.run("key", lambda commitment: "first", patience=LONG)
    assert others[0].result() == "done"
    assert flights.run("key", lambda commitment: "later", patience=LONG) == "later"


def test_caller_that_is_interrupted_as_the_work_ends_makes_its_reports(monkeypatch):
    flights, told = Flights(), []
    start = threading.Thread.start

    def starting(thread):
        def interrupted(*_):
            thread.join()
            raise KeyboardInterrupt

        monkeypatch.setattr(flights._running["key"].finished, "wait", interrupted)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starting)
    with pytest.raises(KeyboardInterrupt):
        flights.run("key", lambda commitment: later(lambda: told.append(1)), patience=LONG)
    assert told == [1]
