"""Work that may wait for the network is done in a thread, and a task that is cancelled leaves at once."""

import asyncio
import contextvars
import sys
import threading
from types import SimpleNamespace

import pytest

from lakekey import _single_flight
from lakekey.errors import ConfigurationError
from lakekey.providers.in_thread import in_a_thread

LONG = 30.0


def test_work_is_done_in_another_thread_with_the_context_of_the_task():
    variable = contextvars.ContextVar("variable", default="none")

    def work():
        return threading.current_thread(), variable.get()

    async def task():
        variable.set("the task's")
        return await in_a_thread(work)

    thread, seen = asyncio.run(task())
    assert thread is not threading.current_thread()
    assert seen == "the task's"


def test_error_of_the_work_is_raised_in_the_task_and_cancels_nothing(monkeypatch):
    waiters = []
    monkeypatch.setattr(_single_flight.Waiter, "cancel", waiters.append)

    def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_a_thread(work))
    assert waiters == []


def test_task_that_is_cancelled_cancels_the_wait_of_its_thread(monkeypatch):
    begun, over, cancelled = threading.Event(), threading.Event(), []

    def cancel(waiter):
        cancelled.append(waiter)
        over.set()

    monkeypatch.setattr(_single_flight.Waiter, "cancel", cancel)

    def work():
        begun.set()
        assert over.wait(LONG)

    async def main():
        task = asyncio.ensure_future(in_a_thread(work))
        await asyncio.to_thread(begun.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(cancelled) == 1


def test_task_that_is_left_behind_is_closed_in_another_context_without_a_word():
    begun, over = threading.Event(), threading.Event()

    def work():
        begun.set()
        assert over.wait(LONG)

    async def main():
        waiting = in_a_thread(work)
        contextvars.copy_context().run(waiting.send, None)
        await asyncio.to_thread(begun.wait, LONG)
        try:
            waiting.close()
        finally:
            over.set()

    asyncio.run(main())


async def stepped(work):
    return await in_a_thread(work)


def without_a_loop():
    with pytest.raises(ConfigurationError, match="is not running in an asyncio or trio event loop"):
        stepped(lambda: 1).send(None)


def test_without_an_event_loop_the_error_says_what_to_call():
    without_a_loop()


@pytest.mark.parametrize("half", [SimpleNamespace(), SimpleNamespace(lowlevel=SimpleNamespace())])
def test_library_that_is_only_about_to_be_imported_runs_no_loop(monkeypatch, half):
    monkeypatch.setitem(sys.modules, "asyncio", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "trio", half)
    without_a_loop()
    monkeypatch.delitem(sys.modules, "asyncio")
    monkeypatch.delitem(sys.modules, "trio")
    without_a_loop()


def test_task_of_trio_uses_a_thread_of_trio_and_leaves_it_behind_when_cancelled(monkeypatch):
    asked = []

    async def run_sync(work, **how):
        asked.append(how)
        return work()

    trio = SimpleNamespace(
        lowlevel=SimpleNamespace(current_task=lambda: "a task"), to_thread=SimpleNamespace(run_sync=run_sync)
    )
    monkeypatch.setitem(sys.modules, "trio", trio)
    with pytest.raises(StopIteration) as done:
        stepped(lambda: 7).send(None)
    assert done.value.value == 7
    assert asked == [{"abandon_on_cancel": True}]
