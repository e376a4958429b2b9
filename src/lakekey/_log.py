"""Log records by part of the product: ``lakekey.session``, ``lakekey.cache``, ….

`logging` is imported with the first warning, not before: its import would cost a fifth of a warm start's budget. A
program that has not imported it has configured nothing, and would see no lesser record. Callers pass ids, hosts and
names; never a token.
"""

import sys
from typing import Any

from lakekey._imports import libraries

_WARNING = 30


def debug(part: str, message: str, *values: Any) -> None:
    """A detail for whoever looks for a fault."""
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
    with libraries():
        import logging

    logging.getLogger(f"lakekey.{part}").log(level, message, *values, stacklevel=3)
