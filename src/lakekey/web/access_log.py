"""Keeps ``code`` and ``state`` out of access logs, which print the query of each request (RFC 9700 §4.2)."""

import logging
import re

#: The loggers that the filter is added to: those of access logs, and the one of `uvicorn --log-level trace`.
LOGGERS = ("uvicorn.access", "uvicorn.asgi", "hypercorn.access", "gunicorn.access", "granian.access")
_QUERY = re.compile(r"(/(?:callback/[^\s?\"]*|finish))\?[^\s\"]*")
_PARAMETER = re.compile(r"\b(code|state)=[^&\s\"]*")


class HideQueries(logging.Filter):
    """Cuts the query off the addresses of callbacks, in a record's message and in its arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is always kept."""
        if isinstance(record.args, tuple):
            record.args = tuple(_cut(each) for each in record.args)
        elif isinstance(record.args, dict):
            for name, value in record.args.items():  # in place: a server's own kind of mapping has defaults
                record.args[name] = _cut(value)
        record.msg = _cut(record.msg)
        return True


def install() -> None:
    """Add the filter to the loggers of the common servers, once."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, HideQueries) for each in logger.filters):
            logger.addFilter(HideQueries())


def _cut(value: object) -> object:
    if isinstance(value, dict) and isinstance(value.get("query_string"), bytes):  # the scope of a request, in a trace
        query = value["query_string"].decode("latin-1")
        return {**value, "query_string": _PARAMETER.sub(r"\1=…", query).encode()}
    return _PARAMETER.sub(r"\1=…", _QUERY.sub(r"\1?…", value)) if isinstance(value, str) else value
