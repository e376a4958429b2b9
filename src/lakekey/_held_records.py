"""Log records of foreign code that runs inside the work: their handlers are called when no other thread waits for it.

A handler may need a lock that a waiting thread has, and a filter may be code of the program's. So one filter of ours
stands first in each list.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from lakekey import _log


def hold_back(loggers: Iterable[str]) -> None:
    """Let records of these loggers wait as ours do, because a handler may need a lock that a waiting thread has.

    Foreign code that runs inside the work may have loggers of its own. So each handler asks as well, before it takes
    its lock: those that `logging` knows, and those of loggers, of which ``dictConfig`` makes it forget some.

    Args:
        loggers: The names of the libraries' loggers.
    """
    if "logging" not in sys.modules:
        return  # nothing is configured, so no handler is called
    with contextlib.suppress(Exception):  # a program may have classes of its own for loggers and handlers
        for filterer in _filterers(loggers):
            with contextlib.suppress(Exception):
                _ask_first(filterer)


def _filterers(loggers: Iterable[str]) -> Iterator[Any]:
    logging: Any = sys.modules["logging"]  # an import would wait for the lock of imports
    known = logging.root.manager.loggerDict
    for logger in (logging.root, *known.copy().values()):
        yield from list(getattr(logger, "handlers", ()))  # what only holds a place in the tree has none
    for reference in list(getattr(logging, "_handlerList", ())):
        yield reference()
    yield getattr(logging, "lastResort", None)
    for name in loggers:
        logger = known.get(name)
        yield logger if hasattr(logger, "filters") else logging.getLogger(name)


def _ask_first(filterer: Any) -> None:
    """Have `wait` asked before the program's own filters, which then see a record that waited once, and not twice."""
    filters = getattr(filterer, "filters", None)
    if filters is not None and not (filters and filters[0] is wait):
        # A list of its own: a thread may be at the old one, and would ask a filter twice.
        filterer.filters = [wait, *(each for each in filters if each is not wait)]


def wait(record: Any) -> bool:
    """The filter by which records wait.

    It is one function of this module for all loggers and handlers: so they can be pickled where they could before, and
    a handler's copy, which has the filters of the original, has its own records back.

    Args:
        record: What is to be logged.

    Returns:
        Whether it may be handled at once.
    """
    if not _log.inside():
        return True
    filterer: Any = sys._getframe(1).f_locals.get("self")  # noqa: SLF001 - `logging` tells a filter no more than the record
    if wait not in getattr(filterer, "filters", ()):
        return True  # the program has called it
    _log.later(lambda: filterer.handle(record))
    return False
