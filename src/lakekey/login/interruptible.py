"""Steps of a sign-in that can be interrupted at any moment, although they wait for the network."""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from lakekey._single_flight import Commitment
from lakekey.errors import LakekeyError

T = TypeVar("T")


def interruptible(
    commitment: Commitment, deadline: float, work: Callable[[], T], timeout: Callable[[], LakekeyError]
) -> T:
    """Do something that only asks the network and spends nothing, in a thread of its own.

    Args:
        commitment: The sign-in's, which may be cancelled.
        deadline: When to give up, by `time.monotonic`.
        work: What to do.
        timeout: Makes the error to give up with.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    # In this thread's context, which knows the deadline, and that code there must not wait for this sign-in.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(attempt,), name="lakekey-ask", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter exits, or a limit is reached: then the deadlines of HTTP have to do
        attempt()
    while thread.is_alive():
        if time.monotonic() > deadline:
            raise timeout()
        thread.join(0.005)
        commitment.pause(0)
    if errors:
        raise errors[0]
    return results[0]
