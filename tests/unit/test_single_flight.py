"""One thread works, the others wait: for no longer than they mean to, and never for themselves."""

import importlib
import os
import sys
import threading
import time
import warnings

import pytest

from lakekey import _single_flight
from lakekey._commitment import Latch, unlock
from lakekey._inside_work import later
from lakekey._single_flight import Busy, Cancelled, Flights, Overdue, Waiter, on
from support.waiting import until

SHORT = 0.3
LONG = 30.0


def test_callers_of_one_key_share_one_result():
    flights, begun, go_on = Flights(), threading.Event(), threading.Event()
    calls, results = [], []

    def work(_):
        calls.append(1)
        begun.set()
        go_on.wait()
        return object()

    threads = [
        threading.Thread(target=lambda: results.append(flights.run("key", work, patience=LONG))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(set(results)) == len(calls)


def test_an_error_of_the_work_is_its_callers():
    flights, tries = Flights(), []

    def work(_):
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("of the work")
        return "done"

    with pytest.raises(ValueError, match="of the work"):
        flights.run("key", work, patience=LONG)
    assert len(tries) == 1


def test_a_wait_ends_with_the_callers_patience():
    flights, go_on = Flights(), threading.Event()
    began = time.monotonic()
    with pytest.raises(Overdue):
        flights.run("key", lambda commitment: go_on.wait(), patience=SHORT)
    assert SHORT <= time.monotonic() - began < LONG
    go_on.set()


def test_a_wait_ends_with_the_callers_patience_when_something_was_sent():
    flights, go_on = Flights(), threading.Event()

    def work(commitment):
        commitment.commit()
        go_on.wait()

    began = time.monotonic()
    with pytest.raises(Overdue):
        flights.run("key", work, patience=SHORT)
    assert time.monotonic() - began < LONG
    go_on.set()


@pytest.mark.parametrize("key", ["key", "another key"])
def test_work_does_not_wait_for_work(key):
    flights = Flights()
    got = []

    def work(_):
        with pytest.raises(Busy):
            flights.run(key, lambda commitment: None, patience=LONG)
        got.append("busy")
        return "done"

    assert flights.run("key", work, patience=LONG) == "done"
    assert got == ["busy"]


def test_code_that_outlives_the_work_may_wait_again():
    flights = Flights()
    contexts = []

    def work(_):
        import contextvars

        contexts.append(contextvars.copy_context())
        return "done"

    flights.run("key", work, patience=LONG)
    assert contexts[0].run(flights.run, "key", lambda commitment: "again", patience=LONG) == "again"


def test_the_last_waiter_that_leaves_as_the_work_ends_makes_its_reports():
    flights, go_on, threads, told = Flights(), threading.Event(), [], []

    def work(_):
        threads.append(threading.current_thread())
        go_on.wait(LONG)
        later(lambda: told.append(1))

    class Leaves(Waiter):
        @property
        def others(self):
            if threads:  # the thread ends while this one, on its way out, is still among the waiters
                go_on.set()
                threads[0].join()
            return self.__dict__["others"]

        @others.setter
        def others(self, waiters):
            self.__dict__["others"] = waiters

    with on(Leaves()), pytest.raises(Overdue):
        flights.run("key", work, patience=0)
    assert told == [1]


def test_the_thread_of_the_work_holds_up_no_program_that_ends(monkeypatch):
    daemons, start = {}, threading.Thread.start

    def starting(thread):
        daemons[thread.name] = thread.daemon
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starting)
    Flights().run("key", lambda commitment: "done", patience=LONG)
    assert daemons == {"lakekey-exchange": True}


def test_work_that_every_caller_has_left_makes_its_reports_itself():
    flights, begun, go_on, told = Flights(), threading.Event(), threading.Event(), []
    waiter = Waiter()

    def work(commitment):
        commitment.commit()
        begun.set()
        go_on.wait(LONG)
        later(lambda: told.append(1))

    def run():
        with on(waiter), pytest.raises(Cancelled):
            flights.run("key", work, patience=LONG)

    caller = threading.Thread(target=run)
    caller.start()
    begun.wait()
    waiter.cancel()
    caller.join()
    go_on.set()
    until(lambda: told)


def test_a_waiter_does_the_work_that_no_thread_has_begun(monkeypatch):
    flights = Flights()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: None)  # it never gets to its first instruction
        assert flights.run("key", lambda commitment: threading.current_thread(), patience=LONG) is (
            threading.current_thread()
        )


def test_a_caller_with_a_lock_in_hand_does_the_work_itself():
    with threading._active_limbo_lock:
        done_by = Flights().run("key", lambda commitment: threading.current_thread(), patience=LONG)
    assert done_by is threading.current_thread()


def test_a_caller_with_a_lock_in_hand_does_not_wait_for_another_thread():
    flights, begun, go_on = Flights(), threading.Event(), threading.Event()

    def work(commitment):
        commitment.commit()
        begun.set()
        go_on.wait()

    other = threading.Thread(target=lambda: flights.run("key", work, patience=LONG))
    other.start()
    begun.wait()
    began = time.monotonic()
    with threading._active_limbo_lock, pytest.raises(Busy):
        flights.run("key", work, patience=LONG)
    assert time.monotonic() - began < LONG / 2
    with pytest.raises(Overdue):  # without the lock it may wait: it is not inside what another thread does
        flights.run("key", work, patience=0)
    go_on.set()
    other.join()


def test_a_caller_with_a_lock_in_hand_takes_one_look_at_anothers_work(monkeypatch):
    flights, begun, go_on, looks, wait = Flights(), threading.Event(), threading.Event(), [], Latch.wait

    def work(_):
        begun.set()
        go_on.wait()

    def waits(latch, timeout=-1, lock=None):
        if threading.current_thread() is threading.main_thread():
            looks.append(timeout)
        return wait(latch, timeout, lock)

    other = threading.Thread(target=lambda: flights.run("key", work, patience=LONG))
    other.start()
    begun.wait()
    monkeypatch.setattr(Latch, "wait", waits)
    with threading._active_limbo_lock, pytest.raises(Busy):
        flights.run("key", work, patience=LONG)
    go_on.set()
    other.join()
    assert looks == [0]


@pytest.mark.parametrize("step", ["_held_records.hold_back", "_Flight.claim", "Commitment.settled"])
def test_the_thread_of_the_work_does_not_wait_for_it_before_it_begins_and_after_it(monkeypatch, step):
    flights, asked, thread = Flights(), [], threading.get_ident()
    owner, _, name = step.rpartition(".")
    owner = getattr(_single_flight, owner)
    original = getattr(owner, name)

    def asks(*arguments):
        result = original(*arguments)
        if threading.get_ident() != thread:
            with pytest.raises(Busy):  # as a finalizer asks, or a profiler
                flights.run("key", lambda commitment: "another", patience=LONG)
            asked.append("busy")
        return result

    monkeypatch.setattr(owner, name, asks)
    assert flights.run("key", lambda commitment: "done", patience=LONG) == "done"
    assert asked == ["busy"]


@pytest.mark.parametrize("early", [False, True], ids=["", "after it has asked which thread it is"])
def test_a_thread_that_the_work_starts_does_not_wait_for_the_work(monkeypatch, early):
    flights, got = Flights(), []
    beginning = threading.Thread._set_ident

    def begins(thread):
        beginning(thread)
        if thread.name == "lakekey-keeper":  # for whose start the work waits
            if early:
                threading.current_thread()  # as each log record does
            with pytest.raises(Busy):  # as a finalizer asks that the garbage collector runs
                flights.run("key", work, patience=LONG)
            got.append("busy")

    def work(commitment):
        commitment.commit()
        return "done"

    monkeypatch.setattr(threading.Thread, "_set_ident", begins)
    assert flights.run("key", work, patience=LONG) == "done"
    assert got == ["busy"]


@pytest.mark.parametrize("name", ["code", "profile", "resource", "queue"])
def test_a_module_that_a_renewal_may_import_is_recognized_by_its_name(monkeypatch, tmp_path, name):
    tmp_path.joinpath(f"{name}.py").write_text(
        "import lakekey._single_flight as ours\n"
        "try:\n"
        "    got = ours.Flights().run('key', lambda commitment: 'done', patience=30)\n"
        "except ours.Busy:\n"
        "    got = 'busy'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, name, None)  # what there was comes back
    del sys.modules[name]
    assert importlib.import_module(name).got == ("busy" if name == "queue" else "done")


def test_a_cancelled_waiter_leaves_and_cancels_the_work():
    flights, begun, cancelled = Flights(), threading.Event(), threading.Event()
    waiter, ended = Waiter(), []

    def work(commitment):
        begun.set()
        try:
            commitment.pause(LONG)
        except Cancelled:
            cancelled.set()
            raise

    def run():
        with on(waiter), pytest.raises(Cancelled):
            flights.run("key", work, patience=LONG)
        ended.append("left")

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    waiter.cancel()
    assert cancelled.wait(LONG / 2)
    thread.join()
    assert ended == ["left"]


def test_a_waiter_that_is_cancelled_just_before_it_is_one_cancels_the_work():
    flights, waiter, cancelled = Flights(), Waiter(), threading.Event()

    class CancelsFirst(dict):
        def setdefault(self, key, flight):
            waiter.cancel()
            return super().setdefault(key, flight)

    def work(commitment):
        try:
            commitment.pause(LONG)
        except Cancelled:
            cancelled.set()
            raise

    flights._running = CancelsFirst()
    with on(waiter), pytest.raises(Cancelled):
        flights.run("key", work, patience=LONG)
    assert cancelled.wait(LONG / 2)


def test_each_call_of_a_waiter_waits_on_a_closed_lock(monkeypatch):
    waiter, closed, wait = Waiter(), [], Latch.wait
    unlock(waiter.lock)  # as the end of an earlier call leaves it

    def waits(latch, timeout=-1, lock=None):
        if lock is not None:
            closed.append(lock.locked())
        return wait(latch, timeout, lock)

    monkeypatch.setattr(Latch, "wait", waits)
    with on(waiter):
        Flights().run("key", lambda commitment: "done", patience=LONG)
    assert closed[0], "with an open one it would do the work before a thread can begin it"


def test_cancelled_waiter_does_not_affect_a_later_call():
    waiter = Waiter()
    with on(waiter):
        waiter.cancel()
    assert Flights().run("key", lambda commitment: "done", patience=LONG) == "done"


def test_a_second_waiter_keeps_what_the_first_one_no_longer_waits_for():
    flights, begun, go_on = Flights(), threading.Event(), threading.Event()
    first, results = Waiter(), []

    def work(commitment):
        begun.set()
        go_on.wait(LONG)
        commitment.pause(0)
        return "done"

    def run(waiter):
        with on(waiter):
            try:
                results.append(flights.run("key", work, patience=LONG))
            except Cancelled:
                results.append("cancelled")

    threads = [threading.Thread(target=run, args=(waiter,)) for waiter in (first, Waiter())]
    threads[0].start()
    begun.wait()
    threads[1].start()
    until(lambda: len(flights._running["key"].waiters) == 2)
    first.cancel()
    threads[0].join()
    go_on.set()
    threads[1].join()
    assert results == ["cancelled", "done"]


@pytest.mark.fork
def test_a_forked_child_does_work_of_its_own():
    flights, begun, go_on = Flights(), threading.Event(), threading.Event()

    def work(_):
        begun.set()
        go_on.wait(LONG)

    thread = threading.Thread(target=lambda: flights.run("key", work, patience=LONG))
    thread.start()
    begun.wait()
    with warnings.catch_warnings(action="ignore"):
        child = os.fork()
    if child == 0:
        try:
            os._exit(flights.run("key", lambda commitment: 7, patience=LONG))
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    go_on.set()
    thread.join()
    assert status == 7
