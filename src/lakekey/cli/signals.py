"""A signal that ends a command does so as Ctrl-C: the terminal is left as it was, an answer is stored first."""

import atexit
import contextlib
import os
import signal
import sys
from types import FrameType

_told: list[int] = []


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
    signal.signal(number, signal.SIG_IGN)  # a second one would strike what this one has begun
    _told.append(number)
    raise Ended(number)


def _end_as_told() -> None:
    """End by the signal: shells and systemd look at how a process has ended."""
    if _told:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        signal.signal(_told[0], signal.SIG_DFL)
        os.kill(os.getpid(), _told[0])
