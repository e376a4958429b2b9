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
    from collections.abc import Callable
    from typing import Any

_WARNING = 30


def inside() -> bool:
    """Whether other threads wait for the one that logs: `lakekey._inside_work` replaces this and `later`."""
    return False


def later(report: Callable[[], object]) -> None:
    """Make a record as soon as it holds none of them up."""
    report()


def debug(part: str, message: str, *values: Any) -> None:
    """A detail for a person who is looking for a fault."""
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
    if inside():
        later(lambda: _write(level, part, message, values))
    else:
        _write(level, part, message, values)


def _write(level: int, part: str, message: str, values: tuple[Any, ...]) -> None:
    with libraries():
        import logging

    logging.getLogger(f"lakekey.{part}").log(level, message, *values, stacklevel=4)
