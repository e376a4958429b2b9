"""A program that waits for another says what for: once, and not before a while."""

import logging
import sys
from types import SimpleNamespace

import pytest

from lakekey.errors import LockTimeout
from lakekey.session import wait_notice
from lakekey.session.wait_notice import Wait
from support.inside import session_of
from support.model import Clock, ModelServer
from support.model_providers import cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")

NAME = "a" * 64


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(wait_notice, "time", clock)
    return clock


@pytest.fixture
def events():
    return session_of(provider_over(cache_over(), ModelServer(Clock()))).credential.events


@pytest.fixture
def wait(clock, events):
    def wait(name=NAME, *, aloud=True):
        return Wait(name, events, lambda: "process 7", aloud=aloud, patience=1.0)

    return wait


def said(capsys):
    return capsys.readouterr().err.count("lakekey: waiting for process 7\n")


def test_wait_is_reported_once_it_has_lasted_and_again_after_a_minute(wait, clock, capsys):
    began = clock.true
    with wait() as one:
        for after, times in ((0.0, 0), (0.9, 0), (1.0, 1), (30.0, 0), (60.9, 0), (61.0, 1), (120.0, 0)):
            clock.true = began + after
            one.goes_on()
            assert (after, said(capsys)) == (after, times)


def test_wait_is_shown_at_once_by_a_stream_that_buffers_as_a_notebooks_does(wait, clock, monkeypatch):
    told = []
    stream = SimpleNamespace(write=told.append, flush=lambda: told.append(None))
    monkeypatch.setattr(sys, "stderr", stream)
    with wait() as one:
        clock.true += 2
        one.goes_on()
    assert told[0] == "lakekey: waiting for process 7"
    assert told[-1] is None


def test_process_says_it_once_however_many_threads_wait(wait, clock, capsys):
    with wait() as one, wait() as two, wait("b" * 64) as of_another:
        clock.true += 2
        one.goes_on()
        two.goes_on()
        assert said(capsys) == 1
        of_another.goes_on()
        assert said(capsys) == 1


def test_wait_that_no_person_reads_is_a_log_record(wait, clock, capsys, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    with wait(aloud=False) as one:
        clock.true += 2
        one.goes_on()
    assert said(capsys) == 0
    assert "waiting for process 7" in caplog.text


def test_wait_that_lasted_too_long_is_told_as_a_failure_and_another_error_is_not(wait, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    for error in (ValueError("of the program"), LockTimeout("held for too long", hint="wait")):
        with pytest.raises(type(error)), wait():
            raise error
    assert "held for too long" in caplog.text
    assert "of the program" not in caplog.text


def test_span_of_a_wait_begins_with_its_first_turn_and_ends_once(clock):
    spans = []

    class Span:
        def __init__(self):
            spans.append([])

        def end(self, outcome, error):
            spans[-1].append((outcome, error))

    events = SimpleNamespace(wait=Span, waits=lambda _: None)
    with Wait(NAME, events, lambda: "", aloud=False, patience=60.0):
        pass
    assert spans == []
    with Wait(NAME, events, lambda: "", aloud=False, patience=60.0) as wait:
        wait.goes_on()
        wait.goes_on()
        wait.over("lock")
    assert spans == [[("lock", None)]]
    with Wait(NAME, events, lambda: "", aloud=False, patience=60.0) as wait:
        wait.goes_on()
    assert spans[1:] == [[("adopted", None)]]
