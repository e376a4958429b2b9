"""What was sent is seen through; what was not is called off at once; and neither waits for ever."""

import atexit
import importlib.util
import linecache
import os
import signal
import sys
import threading
import time
import warnings

import pytest

from lakekey import _commitment, _held_signals
from lakekey._commitment import Cancelled, Commitment, Latch, locked
from lakekey._held_signals import HeldSignals
from support.waiting import until

SHORT = 0.3
LONG = 20.0


class Interruption(BaseException):
    """What a handler raises."""


ALARM, ANOTHER = (signal.SIGALRM, signal.SIGUSR1) if os.name == "posix" else (signal.SIGBREAK, signal.SIGTERM)


@pytest.fixture
def commitment():
    commitment = Commitment()
    yield commitment
    commitment.settled()


@pytest.fixture
def short_lived():
    """One whose answer is given up soon."""
    commitment = Commitment(SHORT)
    yield commitment
    commitment.settled()


@pytest.fixture
def alarm():
    """Lists the signals that arrived."""
    came = []
    before = signal.signal(ALARM, lambda number, frame: came.append(number))
    yield came
    signal.signal(ALARM, before)


def test_what_is_cancelled_is_not_sent(commitment):
    commitment.cancel()
    with pytest.raises(Cancelled):
        commitment.commit()
    assert not commitment.committed


def test_cancelling_what_was_sent_is_remembered(commitment):
    commitment.commit()
    commitment.cancel()
    commitment.pause(0)  # what is under way goes on
    commitment.settled()
    with pytest.raises(Cancelled):
        commitment.pause(0)
    with pytest.raises(Cancelled):
        commitment.commit()


def test_a_waiter_of_a_latch_is_woken_when_it_opens():
    latch, opened = Latch(), []
    waiter = threading.Thread(target=lambda: opened.append(latch.wait(LONG)))
    waiter.start()
    until(lambda: latch._locks)  # it waits
    latch.open()
    waiter.join(LONG / 2)
    assert opened == [True]


def test_a_second_request_may_be_cancelled_like_the_first(commitment):
    commitment.commit()
    commitment.settled()
    commitment.cancel()
    with pytest.raises(Cancelled):
        commitment.commit()


def test_a_caller_that_sees_it_through_waits_until_it_is_stored(commitment):
    commitment.commit()
    finished, threads = Latch(), []
    threads.append(threading.Timer(SHORT, finished.open))
    threads[0].start()
    commitment.see_through(finished)
    assert finished.is_open
    threads[0].join()


def test_a_caller_that_sees_it_through_does_not_wait_for_ever(short_lived):
    short_lived.commit()
    began = time.monotonic()
    short_lived.see_through(Latch())
    assert time.monotonic() - began < LONG


def test_the_exit_does_not_wait_for_ever(short_lived):
    short_lived.commit()
    began = time.monotonic()
    _commitment._see_through(SHORT)
    assert SHORT / 2 < time.monotonic() - began < LONG


def test_the_thread_that_keeps_the_interpreter_does_not_wait_for_ever(short_lived):
    before = set(threading.enumerate())
    short_lived.commit()
    keepers = [thread for thread in threading.enumerate() if thread not in before]
    assert [thread.daemon for thread in keepers] == [False]
    keepers[0].join(LONG)
    assert not keepers[0].is_alive()


@pytest.mark.fork
def test_a_forked_child_does_not_wait_for_what_its_parent_has_sent(commitment):
    commitment.commit()
    with warnings.catch_warnings(action="ignore"):
        child = os.fork()
    if child == 0:
        os._exit(len(_commitment._in_the_air))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _commitment._in_the_air


def test_signals_wait_while_the_main_thread_itself_has_sent_something(commitment, alarm):
    commitment.holds_signals = True
    commitment.commit()
    signal.raise_signal(ALARM)
    assert alarm == []
    commitment.settled()
    assert alarm == [ALARM]


def test_cancelled_work_holds_no_signals(commitment, alarm):
    commitment.holds_signals = True
    commitment.cancel()
    with pytest.raises(Cancelled):
        commitment.commit()
    signal.raise_signal(ALARM)
    assert alarm == [ALARM]


def test_every_handler_is_put_back_though_one_raises():
    def handler(number, frame):
        raise Interruption(number)

    numbers = (ALARM, ANOTHER)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        held = HeldSignals()
        held.hold()
        for number in numbers:
            signal.raise_signal(number)
        with pytest.raises(Interruption):
            held.release()
        assert [signal.getsignal(number) for number in numbers] == [handler, handler]
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def test_a_ctrl_c_that_waited_alone_is_raised():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        held = HeldSignals()
        held.hold()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            held.release()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_sigterm_is_not_hidden_by_a_ctrl_c_that_waited_with_it():
    def terminate(number, frame):
        raise Interruption(number)

    before = signal.signal(signal.SIGTERM, terminate), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for order in ((signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            held = HeldSignals()
            held.hold()
            for number in order:
                signal.raise_signal(number)
            with pytest.raises(Interruption):
                held.release()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def strike_at(line: int):
    """A tracer that sends a signal at the n-th line that is executed in the module, and how many were left then."""
    left = [line]

    def trace(frame, event, _):
        if frame.f_code.co_filename != _held_signals.__file__:
            return None
        # A tracer can strike where a signal cannot: before a statement that follows one without a call or a loop.
        if event == "line" and "[number](" not in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
            left[0] -= 1
            if left[0] == 0:
                signal.raise_signal(ALARM)
        return trace

    return trace, left


def test_signals_that_strike_at_any_line_of_the_holding_all_take_effect_once():
    came = []

    def handler(number, frame):
        came.append(number)
        raise Interruption(number)

    before = {number: signal.signal(number, handler) for number in (ALARM, ANOTHER, signal.SIGINT)}
    line, left = 0, [0]
    try:
        while left[0] <= 0:
            line += 1
            came.clear()
            trace, left = strike_at(line)
            held, waits = HeldSignals(), []
            sys.settrace(trace)
            try:
                held.hold()
                for number in (ANOTHER, signal.SIGINT):
                    waits.append(number)
                    signal.raise_signal(number)
                held.release()
            except Interruption:
                pass
            finally:
                sys.settrace(None)
            assert sorted(came) == sorted([*waits, *([ALARM] if left[0] <= 0 else [])]), line
            assert [signal.getsignal(number) for number in before] == [handler] * 3, line
    finally:
        for number, old in before.items():
            signal.signal(number, old)
    assert line > 50


def test_a_signal_in_the_midst_of_taking_hold_takes_effect_at_once():
    def handler(number, frame):
        raise Interruption(number)

    before = signal.signal(ALARM, handler)
    trace, _ = strike_at(100 if os.name == "posix" else 10)  # Windows has fewer signals to take hold of
    try:
        held = HeldSignals()
        sys.settrace(trace)
        try:
            with pytest.raises(Interruption):
                held.hold()
        finally:
            sys.settrace(None)
        assert signal.getsignal(ALARM) is handler
    finally:
        signal.signal(ALARM, before)


def test_a_handler_that_another_one_sets_on_release_stays():
    def later(number, frame):
        pass

    def handler(number, frame):
        signal.signal(ANOTHER, later)

    before = signal.signal(ALARM, handler), signal.signal(ANOTHER, handler)
    try:
        held = HeldSignals()
        held.hold()
        signal.raise_signal(ALARM)
        held.release()
        assert signal.getsignal(ANOTHER) is later
    finally:
        signal.signal(ALARM, before[0])
        signal.signal(ANOTHER, before[1])


def test_handler_that_another_one_took_for_the_one_before_it_goes_on_to_the_programs_own():
    came, numbers = [], (signal.SIGINT, signal.SIGTERM)
    own = {number: signal.getsignal(number) for number in numbers}

    def chains(_number, _frame):
        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, lambda *struck: (came.append("new"), before(*struck)))

    try:
        signal.signal(signal.SIGINT, lambda *_: came.append("own"))
        signal.signal(signal.SIGTERM, chains)
        held = HeldSignals()
        held.hold()
        signal.raise_signal(signal.SIGTERM)
        held.release()
        signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in own.items():
            signal.signal(number, handler)
    assert came == ["new", "own"]


class Watched(Latch):
    """A latch that notes how long it is waited for at a time, and opens at the third."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=-1, lock=None):
        self.waits.append(timeout)
        self.is_open = len(self.waits) == 3
        if self.is_open:
            _commitment._in_the_air.discard(self)
        return self.is_open


def test_answer_is_waited_for_in_short_slices(short_lived):
    short_lived.commit()
    stored = Watched()
    short_lived.see_through(stored)
    assert len(stored.waits) == 3
    assert all(0 < each < 0.5 for each in stored.waits)


def test_exit_waits_in_short_slices_for_what_is_sent():
    sent = Watched()
    _commitment._in_the_air.add(sent)
    try:
        _commitment._see_through(SHORT)
    finally:
        _commitment._in_the_air.discard(sent)
    assert len(sent.waits) == 3
    assert all(0 < each < 0.5 for each in sent.waits)


def test_exit_is_held_back_from_the_first_use_on(monkeypatch):
    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(os, "register_at_fork", lambda **_: None, raising=False)
    found = importlib.util.spec_from_file_location("loaded_again", _commitment.__file__)
    again = importlib.util.module_from_spec(found)
    found.loader.exec_module(again)
    assert registered == [again._see_through]


def test_keeper_of_the_interpreter_ends_as_soon_as_the_answer_is_stored(commitment):
    before = set(threading.enumerate())
    commitment.commit()
    [keeper] = [thread for thread in threading.enumerate() if thread not in before]
    assert keeper.is_alive()
    commitment.settled()
    keeper.join(LONG)
    assert not keeper.is_alive()


def test_latch_is_waited_for_without_a_limit_unless_told():
    latch, opened = Latch(), []
    waiter = threading.Thread(target=lambda: opened.append(latch.wait()))
    waiter.start()
    until(lambda: latch._locks)
    latch.open()
    waiter.join(LONG)
    assert opened == [True]


def test_latch_opens_no_lock_of_a_wait_that_is_over():
    latch, lock = Latch(), locked()
    assert not latch.wait(0, lock)
    latch.open()
    assert lock.locked()


def test_work_of_another_thread_is_not_committed_at_first_and_then_holds_no_signals(commitment, alarm):
    assert not commitment.committed
    commitment.commit()
    assert commitment.committed
    signal.raise_signal(ALARM)
    assert alarm == [ALARM]
