"""Log records by part of the product: ``lakekey.session``, ``lakekey.cache``, ….

`logging` is imported with the first warning, not before: its import would cost a fifth of a warm start's budget. A
program that has not imported it has configured nothing, and would see no lesser record. Callers pass ids, hosts and
names; never a token.
"""

from __future__ import annotations

import sys

from lakekey._imports import libraries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_WARNING = 30
_held_back: set[str] = set()


def postpone(report: Callable[[], object]) -> bool:  # noqa: ARG001
    """Keep a record for later, where other threads wait for the one that logs: `lakekey._single_flight` replaces this.

    Returns:
        Whether it was kept.
    """
    return False


def debug(part: str, message: str, *values: Any) -> None:
    """A detail for a person who looks for a fault."""
    _emit(10, part, message, values)


def info(part: str, message: str, *values: Any) -> None:
    """An event worth having: a refresh, a login, the adoption of a sibling's token."""
    _emit(20, part, message, values)


def warning(part: str, message: str, *values: Any) -> None:
    """Something that a person should look at."""
    _emit(_WARNING, part, message, values)


def _emit(level: int, part: str, message: str, values: tuple[Any, ...]) -> None:
    if level < _WARNING and "logging" not in sys.modules:
        return
    if postpone(lambda: _write(level, part, message, values)):
        return
    _write(level, part, message, values)


def _write(level: int, part: str, message: str, values: tuple[Any, ...]) -> None:
    with libraries():
        import logging

    logging.getLogger(f"lakekey.{part}").log(level, message, *values, stacklevel=4)


def hold_back(loggers: Iterable[str], keep: Callable[[Callable[[], object]], bool]) -> None:
    """Let records of these loggers wait as ours do, because a handler may need a lock that a waiting thread has.

    Foreign code that runs inside the work may have loggers of its own. So each handler that there is asks as well,
    before it takes its lock, which the thread may have that is waiting.

    Args:
        loggers: The names of the libraries' loggers.
        keep: Keeps a report for later, or returns false where it may be made at once.
    """
    if "logging" not in sys.modules:
        return  # nothing is configured, so no handler is called
    logging: Any = sys.modules["logging"]  # an import would wait for the lock of imports

    def later(record: Any) -> bool:
        return not keep(lambda: logging.getLogger(record.name).handle(record))

    for name in loggers:
        if name not in _held_back:
            _held_back.add(name)
            logging.getLogger(name).addFilter(later)
    for reference in list(getattr(logging, "_handlerList", ())):
        handler = reference()
        if handler is not None and not any(isinstance(each, _Later) for each in handler.filters):
            handler.addFilter(_Later(reference, keep))


class _Later:
    """A handler's filter, by which records wait.

    Args:
        handler: Gives the handler, while there is one.
        keep: See `hold_back`.
    """

    def __init__(self, handler: Callable[[], Any], keep: Callable[[Callable[[], object]], bool]) -> None:
        self._handler = handler
        self._keep = keep

    def filter(self, record: Any) -> bool:
        def handle() -> None:
            handler = self._handler()
            if handler is not None:
                handler.handle(record)

        return not self._keep(handle)
