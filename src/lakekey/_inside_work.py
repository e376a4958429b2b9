"""Which code runs inside a renewal or holds a lock that others wait for, and which reports it has to postpone.

The work of a renewal calls nothing of the program: what it has to report waits with it (`later`), and a thread that
waits for the work makes the reports. Code of the program that runs inside it all the same, such as a finalizer, waits
for no other work.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from lakekey import _held_records, _log
from lakekey._commitment import Latch

#: The libraries' loggers whose records wait for the end of the work.
LOGGERS = (
    "charset_normalizer", "filelock", "keyring.backend", "psycopg", "psycopg.pq", "psycopg.transaction", "py.warnings",
    "redis.client", "redis.connection", "requests", "urllib3.connection", "urllib3.connectionpool",
    "urllib3.poolmanager", "urllib3.util.retry",
)  # fmt: skip


class Work:
    """Work that threads may wait for.

    Attributes:
        finished: Opens as it ends.
        reports: What it has to report to the program.
    """

    def __init__(self) -> None:
        self.finished = Latch()
        self.reports: deque[Callable[[], object]] = deque()

    def report(self) -> None:
        """Make the reports that wait here. A failing report, such as a log handler that raises, costs no token."""
        while self.reports:
            with contextlib.suppress(Exception):
                self.reports.popleft()()

    def report_late(self) -> None:
        """Make the reports of work that has ended: the last of them may have come when the others had been made."""
        if self.finished.is_open:
            self.report()


#: The work that the calling code runs inside of.
under_way: ContextVar[Work | None] = ContextVar("lakekey_inside", default=None)


def inside() -> bool:
    """Whether the calling code runs inside work that has not ended."""
    work = under_way.get()
    return work is not None and not work.finished.is_open


def later(report: Callable[[], object]) -> None:
    """Call this as soon as it can hold nothing up: at once, or from a caller's thread where this is inside the work."""
    work = under_way.get()
    if work is None or work.finished.is_open:
        report()
    else:
        work.reports.append(report)
        work.report_late()


@contextlib.contextmanager
def as_work() -> Iterator[None]:
    """Within it, code that asks for a header is refused at once, and reports wait for its end, as inside other work.

    For code that has a lock that a renewal needs, and waits for a disk, a server or another program meanwhile.
    """
    work = Work()
    token = under_way.set(work)
    try:
        _held_records.hold_back(LOGGERS)
        yield
    finally:
        work.finished.open()
        under_way.reset(token)
        if work.reports:
            later(work.report)


_holding: ContextVar[bool] = ContextVar("lakekey_holding", default=False)


@contextlib.contextmanager
def holding() -> Iterator[None]:
    """Within it, code that asks for a header waits for no other thread, as with a lock of Python's in hand.

    For code that has a lock that other threads wait for, and that lets its owner in again. So the same thread does what
    it is asked for, unless another thread has begun it: then the code is refused.
    """
    token = _holding.set(True)
    try:
        yield
    finally:
        _holding.reset(token)


def is_holding() -> bool:
    """Whether the calling code runs within `holding`."""
    return _holding.get()


_log.inside, _log.later = inside, later
