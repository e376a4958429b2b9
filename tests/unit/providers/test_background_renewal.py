"""The background thread: every job runs, none twice, none ends the thread, and an idle thread ends itself."""

import logging
import os
import threading
import time
import warnings
from queue import Empty, SimpleQueue

import pytest

from lakekey.providers import background_renewal
from lakekey.providers.background_renewal import Background

PATIENCE = 60.0


def threads():
    return {thread for thread in threading.enumerate() if thread.name == "lakekey-background"}


@pytest.fixture
def background():
    """Its thread, and only its, is gone again at the end."""
    before = threads()
    yield Background(idle=0.05)
    for thread in threads() - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Job:
    """Notes that it ran, and with which thread; it goes on when it may."""

    def __init__(self, *, held=False):
        self.threads, self.begun, self.may = [], threading.Event(), threading.Event()
        if not held:
            self.may.set()

    def __call__(self):
        self.threads.append(threading.current_thread())
        self.begun.set()
        assert self.may.wait(PATIENCE)


def test_a_job_that_waits_is_not_added_again(background):
    first, second, third = Job(held=True), Job(), Job()
    background.submit("a", first)
    assert first.begun.wait(PATIENCE)
    for job in (second, third):
        background.submit("b", job)
    again = Job()
    background.submit("a", again)  # the first of that name waits no more: it runs
    first.may.set()
    assert second.begun.wait(PATIENCE)
    assert again.begun.wait(PATIENCE)
    assert (len(second.threads), len(third.threads)) == (1, 0)
    assert {thread.daemon for thread in first.threads} == {True}
    assert second.threads == first.threads, "there is one thread"


def test_a_job_begins_without_the_wait_of_an_idle_thread(background):
    background._idle = 10 * PATIENCE
    first, second = Job(), Job()
    background.submit("a", first)
    assert first.begun.wait(PATIENCE)
    background._idle = 0.05
    background.submit("a", second)
    assert second.begun.wait(PATIENCE)
    assert second.threads == first.threads


def test_the_process_has_one_such_thread():
    job = Job()
    background_renewal.submit("a", job)
    assert job.begun.wait(PATIENCE)
    assert background_renewal._process._thread in (job.threads[0], None)


def test_a_job_that_fails_is_reported_and_ends_no_other(background, caplog):
    def fails():
        raise ZeroDivisionError

    last = Job()
    with caplog.at_level(logging.WARNING, "lakekey.background"):
        background.submit("a" * 64, fails)
        background.submit("b", last)
        assert last.begun.wait(PATIENCE)
    assert [record.getMessage() for record in caplog.records] == [
        "the job for entry aaaaaaaaaaaa failed: ZeroDivisionError"
    ]


def test_an_idle_thread_ends_and_the_next_job_starts_another(background):
    first, second = Job(), Job()
    background.submit("a", first)
    assert first.begun.wait(PATIENCE)
    first.threads[0].join(PATIENCE)
    assert not first.threads[0].is_alive()
    background.submit("a", second)
    assert second.begun.wait(PATIENCE)
    assert second.threads != first.threads


def test_where_no_thread_starts_the_next_call_tries_again(background, monkeypatch):
    first, second = Job(), Job()

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        background.submit("a", first)
    background.submit("a", second)
    assert second.begun.wait(PATIENCE)
    assert first.threads == []


def test_jobs_added_as_the_thread_ends_run(background):
    background._idle = 0.0005
    jobs = [Job() for _ in range(300)]
    for job in jobs:
        background.submit("a", job)
        assert job.begun.wait(PATIENCE)
        time.sleep(0.0005)  # about as long as the thread waits for another
    assert [len(job.threads) for job in jobs] == [1] * 300


def test_job_added_after_the_last_look_of_a_thread_that_ends_runs(background):
    idle, late = [], Job()

    class Added(SimpleQueue):
        def get(self, **more):
            try:
                return super().get(**more)
            except Empty:
                idle.append(True)
                raise

    class Jobs(dict):
        def __bool__(self):
            is_last_look = bool(idle) and not len(self)
            if is_last_look and not late.threads:
                background.submit("late", late)
            return not is_last_look and len(self) > 0

    background._added, background._jobs = Added(), Jobs()
    background.submit("a", Job())
    assert late.begun.wait(PATIENCE)


@pytest.mark.fork
def test_a_forked_child_leaves_its_parents_jobs_to_the_parent(background):
    held, waits, own = Job(held=True), Job(), Job()
    background.submit("held", held)
    assert held.begun.wait(PATIENCE)
    background.submit("waits", waits)
    with warnings.catch_warnings(action="ignore"):
        child = os.fork()
    if child == 0:
        try:
            background.submit("own", own)
            os._exit(0 if own.begun.wait(PATIENCE) and not waits.threads else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    held.may.set()
    assert waits.begun.wait(PATIENCE)
