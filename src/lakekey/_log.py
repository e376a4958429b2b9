"""Log records by part of the product: ``lakekey.session``, ``lakekey.cache``, ….

`logging` is imported with the first record, not before: on the warm path of a new process there is none, and the
import would cost a fifth of that path's budget. Callers pass ids, hosts and names; never a token.
"""

from typing import Any

from lakekey._loading import libraries


def debug(part: str, message: str, *values: Any) -> None:
    """A detail for whoever looks for a fault."""
    _emit(10, part, message, values)


def info(part: str, message: str, *values: Any) -> None:
    """An event worth having: a refresh, a login, the adoption of a sibling's token."""
    _emit(20, part, message, values)


def warning(part: str, message: str, *values: Any) -> None:
    """Something that a person should look at."""
    _emit(30, part, message, values)


def _emit(level: int, part: str, message: str, values: tuple[Any, ...]) -> None:
    with libraries():
        import logging

    logging.getLogger(f"lakekey.{part}").log(level, message, *values, stacklevel=3)
