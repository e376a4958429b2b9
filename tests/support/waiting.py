"""Waiting for what happens elsewhere, with an end."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


def until_up(
    process: subprocess.Popen[str] | subprocess.Popen[bytes], log: Path, answers: Callable[[], object]
) -> None:
    """Waits for a server that was started; fails with what it has logged where it ends, or does not answer.

    Args:
        process: The server.
        log: What it writes to.
        answers: Whether it answers.
    """

    def is_up() -> object:
        assert process.poll() is None, log.read_text()[-4000:]
        return answers()

    try:
        until(is_up, pause=0.05)
    except AssertionError as error:
        raise AssertionError(log.read_text()[-4000:]) from error


def is_kept_waiting(thread: int) -> bool:
    """Whether a thread of this process has found an entry's lock held, and tries again."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_name == "wait_for" and "waited" in frame.f_locals:
            return True
        frame = frame.f_back
    return False
