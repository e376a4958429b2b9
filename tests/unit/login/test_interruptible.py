"""A step of a sign-in runs in a thread of its own: what comes of it, and how the wait for it ends."""

import contextvars
import threading
import time

import pytest

from lakekey._single_flight import Cancelled, Commitment
from lakekey.errors import LoginTimeout
from lakekey.login.interruptible import interruptible

WHERE = contextvars.ContextVar("WHERE", default="elsewhere")


def done(work, seconds=60.0, commitment=None):
    return interruptible(
        commitment or Commitment(), time.monotonic() + seconds, work, lambda: LoginTimeout("it took too long")
    )


def test_result_is_what_the_work_returns():
    assert done(lambda: "a result") == "a result"


def test_error_is_what_the_work_raises():
    with pytest.raises(LookupError, match="not there"):
        done(lambda: {}["not there"])


def test_work_runs_in_a_thread_that_holds_no_exit_back_and_in_this_context():
    token = WHERE.set("here")
    try:
        thread, where = done(lambda: (threading.current_thread(), WHERE.get()))
    finally:
        WHERE.reset(token)
    assert (thread is threading.current_thread(), thread.daemon, where) == (False, True, "here")


def test_wait_ends_at_the_deadline():
    over = threading.Event()
    try:
        with pytest.raises(LoginTimeout):
            done(lambda: over.wait(60), seconds=0.0)
    finally:
        over.set()


def test_wait_ends_as_soon_as_the_sign_in_is_called_off():
    over, commitment = threading.Event(), Commitment()
    commitment.cancel()
    try:
        with pytest.raises(Cancelled):
            done(lambda: over.wait(60), commitment=commitment)
    finally:
        over.set()


def test_wait_looks_for_a_cancellation_without_pausing():
    class Looking(Commitment):
        def pause(self, seconds):
            pauses.append(seconds)
            looked.set()

    looked, pauses = threading.Event(), []
    assert done(lambda: looked.wait(60), commitment=Looking())
    assert set(pauses) == {0}


def test_work_is_done_here_where_no_thread_can_start(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert done(threading.current_thread) is threading.current_thread()
