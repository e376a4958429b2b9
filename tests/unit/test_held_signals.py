"""Signals that arrive while an answer is on its way: their handlers run afterwards, each once, and are put back."""

import signal
import threading

import pytest

from lakekey._held_signals import HeldSignals

pytestmark = pytest.mark.posix_signals
ONE, TWO = (getattr(signal, name, signal.SIGTERM) for name in ("SIGUSR1", "SIGUSR2"))


class Ended(BaseException):
    """What a program's handler raises."""


@pytest.fixture
def came():
    """What the handlers of two signals were called for; the handlers before are put back."""
    assert threading.current_thread() is threading.main_thread()
    came = []
    before = [signal.signal(number, lambda number, frame: came.append((number, frame))) for number in (ONE, TWO)]
    yield came
    for number, handler in zip((ONE, TWO), before, strict=True):
        signal.signal(number, handler)


def test_signal_that_is_held_reaches_its_handler_once_with_the_frame_it_came_in(came):
    own, held = signal.getsignal(ONE), HeldSignals()
    held.hold()
    signal.raise_signal(ONE)
    signal.raise_signal(ONE)
    signal.raise_signal(TWO)
    assert came == []
    held.release()
    assert [number for number, _ in came] == [ONE, TWO]
    assert came[0][1].f_code.co_name == "test_signal_that_is_held_reaches_its_handler_once_with_the_frame_it_came_in"
    assert signal.getsignal(ONE) is own
    signal.raise_signal(ONE)
    assert len(came) == 3


def test_signals_that_are_ignored_stay_ignored(came):
    signal.signal(ONE, signal.SIG_IGN)
    held = HeldSignals()
    held.hold()
    signal.raise_signal(ONE)
    assert signal.getsignal(ONE) is signal.SIG_IGN
    held.release()
    assert signal.getsignal(ONE) is signal.SIG_IGN


def test_stand_in_that_was_kept_calls_the_handler_when_nothing_is_held(came):
    held = HeldSignals()
    held.hold()
    stand_in = signal.getsignal(ONE)
    held.release()
    signal.signal(ONE, stand_in)
    signal.raise_signal(ONE)
    assert [number for number, _ in came] == [ONE]


def test_handler_that_a_handler_sets_stays(came):
    def another(*_):
        """What the program's handler puts in its place."""

    signal.signal(ONE, lambda *_: signal.signal(ONE, another))
    held = HeldSignals()
    held.hold()
    signal.raise_signal(ONE)
    held.release()
    assert signal.getsignal(ONE) is another


@pytest.mark.parametrize(
    ("first", "second", "raised"),
    [
        (Ended, KeyboardInterrupt, Ended),
        (KeyboardInterrupt, Ended, Ended),
        (KeyboardInterrupt, None, KeyboardInterrupt),
        (Ended, ZeroDivisionError, ZeroDivisionError),
    ],
)
def test_of_two_handlers_that_raise_a_ctrl_c_hides_none_and_all_are_put_back(came, first, second, raised):
    def handler_of(error):
        def handler(number, frame):
            came.append((number, frame))
            if error is not None:
                raise error

        return handler

    handlers = {number: handler_of(error) for number, error in ((ONE, first), (TWO, second))}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    held = HeldSignals()
    held.hold()
    signal.raise_signal(ONE)
    signal.raise_signal(TWO)
    with pytest.raises(raised):
        held.release()
    assert [number for number, _ in came] == [ONE, TWO]
    assert {number: signal.getsignal(number) for number in (ONE, TWO)} == handlers


def test_hold_that_is_interrupted_holds_nothing(came, monkeypatch):
    own, held, replace = signal.getsignal(ONE), HeldSignals(), signal.signal

    def interrupted(number, handler):
        replace(number, handler)
        if number == TWO and handler == held._arrive:
            signal.raise_signal(ONE)
            assert [number for number, _ in came] == [ONE], "it takes effect, since nothing is held yet"
            raise Ended

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(Ended):
        held.hold()
    assert [number for number, _ in came] == [ONE]
    assert signal.getsignal(ONE) is own


def test_release_that_is_interrupted_at_its_beginning_is_completed(came, monkeypatch):
    own, held, settle, interrupted = signal.getsignal(ONE), HeldSignals(), HeldSignals._settle, []

    def interrupt(self):
        if not interrupted:
            interrupted.append(1)
            raise Ended
        settle(self)

    monkeypatch.setattr(HeldSignals, "_settle", interrupt)
    held.hold()
    with pytest.raises(Ended):
        held.release()
    assert signal.getsignal(ONE) is own
