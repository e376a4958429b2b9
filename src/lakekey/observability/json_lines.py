"""A formatter of `logging` that writes audit records as lines of JSON, for handlers of a program's own."""

import logging

from lakekey.observability.audit import FIELDS, to_line


class JsonLines(logging.Formatter):
    """Formats a record of the logger ``lakekey.audit`` as one line of JSON, as ``LAKEKEY_AUDIT`` has it.

    Of any other record, the line has ``time``, ``event`` (the logger's name) and ``detail`` (the message).
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        fields = {name: record.__dict__.get(f"lakekey.{name}") for name in FIELDS}
        if fields["event"] is None:
            fields |= {"event": record.name, "detail": record.getMessage(), "time": self.formatTime(record)}
        return to_line(fields)
