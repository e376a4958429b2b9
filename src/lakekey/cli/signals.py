"""A signal that ends a command does so as Ctrl-C: the terminal is left as it was, an answer is stored first."""

import atexit
import contextlib
import os
import signal
import sys
import time
from types import FrameType

_TWICE = 1.0  # seconds: `timeout` and a terminal that closes may tell a program twice that it ends
_told: list[tuple[int, float]] = []


class Ended(BaseException):
    """A signal has ended the command.

    Attributes:
        number: Which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def prepare() -> None:
    """Have SIGTERM and SIGHUP raise `Ended`, unless they are ignored here, as by ``nohup``."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    # The first to be registered is the last to run, when all that must not be cut off has been waited for.
    atexit.register(_end_as_told)


def _end(number: int, _frame: FrameType | None) -> None:
    """Raise `Ended`. A later signal does so again, as Ctrl-C does: Python swallows what strikes a finalizer.

    The handler stays: what a command starts while it tidies up would inherit that a signal is ignored.
    """
    now = time.monotonic()
    if _told and (now - _told[-1][1] < _TWICE or _is_sent()):
        return  # it would strike what the first one has begun
    _told.append((number, now))
    raise Ended(number)


def _is_sent() -> bool:
    """Whether an answer is waited for, which will be stored before the command ends."""
    commitment = sys.modules.get("lakekey._commitment")  # no import: the one that loads it may be under way
    return commitment is not None and bool(getattr(commitment, "_in_the_air", ()))


def _end_as_told() -> None:
    """End by the signal: shells and systemd look at how a process has ended."""
    if _told:
        with contextlib.suppress(Exception, Ended):
            sys.stdout.flush()
        number, _ = _told[-1]
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
