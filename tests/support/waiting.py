"""Waiting for what happens elsewhere, with an end."""

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
