"""Waiting for what happens elsewhere, with an end."""

import sys
import time
from collections.abc import Callable

from support.pace import SLOWER

PATIENCE = 60 * SLOWER  # seconds


def until(happens: Callable[[], object], *, pause: float = 0.005) -> None:
    """Looks again and again until it is so; fails where it never is.

    Args:
        happens: Whether it is so.
        pause: Seconds between two looks.
    """
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(pause)


def is_kept_waiting(thread: int) -> bool:
    """Whether a thread of this process has found an entry's lock held, and tries again."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_name == "wait_for" and "waited" in frame.f_locals:
            return True
        frame = frame.f_back
    return False
