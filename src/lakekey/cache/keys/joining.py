"""Waiting for a thread in a way that Ctrl-C ends on Windows, too, where a longer wait for a lock is deaf to it."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

_SLICE = 0.25  # seconds


def join(thread: "threading.Thread", limit: float) -> None:
    """Wait until a thread ends, but not longer than the limit (seconds)."""
    deadline = time.monotonic() + limit
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(left, _SLICE))
