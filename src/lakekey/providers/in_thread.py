"""Waiting for the network in a thread while the event loop goes on: asyncio's or trio's, and so anyio's on either."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lakekey._single_flight import Waiter, on
from lakekey.errors import ConfigurationError

T = TypeVar("T")


async def in_a_thread(work: Callable[[], T]) -> T:
    """Do something that may wait for the network, while the event loop goes on; a cancelled task leaves at once.

    Args:
        work: What to do, in a thread that has the task's context.

    Raises:
        ConfigurationError: No event loop of asyncio or trio runs here.
    """
    waiter = Waiter()
    with on(waiter):
        try:
            return await _to_thread(work)
        except BaseException as error:
            # Cancelled, or the coroutine was closed: the thread ends with it, so that the loop's end need not wait.
            if not isinstance(error, Exception):
                waiter.cancel()
            raise


def _to_thread(work: Callable[[], T]) -> Awaitable[T]:
    # A library whose event loop runs has been imported.
    asyncio, trio = (sys.modules.get(name) for name in ("asyncio", "trio"))
    if asyncio is not None and _in_asyncio(asyncio):
        answer: Awaitable[T] = asyncio.to_thread(work)
    elif trio is not None and _in_trio(trio):
        answer = trio.to_thread.run_sync(work, abandon_on_cancel=True)
    else:
        raise ConfigurationError(
            "the caller is not running in an asyncio or trio event loop",
            hint="await it in an asyncio, trio or anyio task, or call token() or headers() instead",
        )
    return answer


def _in_asyncio(asyncio: Any) -> bool:
    # The task, not the loop: where trio is a guest of asyncio's loop, its tasks are not asyncio's.
    try:
        return asyncio.current_task() is not None
    except (AttributeError, RuntimeError):  # it is about to be imported, or its loop does not run here
        return False


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):
        return False
    return True
