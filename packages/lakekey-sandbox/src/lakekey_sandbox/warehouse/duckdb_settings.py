"""A session's settings: what SET writes, and the two that change what statements mean."""

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from lakekey_sandbox.warehouse.duckdb_names import text
from lakekey_sandbox.warehouse.engine import rows
from lakekey_sandbox.warehouse.errors import SqlError, syntax_error

_PAIR = {"key": pa.string(), "value": pa.string()}
_TIME_ZONE = ("timezone", "spark.sql.session.timezone")
_ANSI = ("ansi_mode", "spark.sql.ansi.enabled")
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::(\d{2}))?")
_INTERVAL = re.compile(r"interval\s+(['\"]?)([+-]?\d{1,2})\1\s+hours?", re.IGNORECASE)


class Settings:
    """The settings of one session.

    Args:
        connection: The session's connection, which has to know the time zone.
        given: What the client sent when it opened the session.

    Attributes:
        time_zone: The zone in which timestamps are read and shown.
        ansi: A cast that fails is an error; else it is NULL.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, given: Mapping[str, str]) -> None:
        self._connection = connection
        self._values: dict[str, str] = {}
        self.ansi = True
        self.time_zone = "UTC"
        connection.execute("SET TimeZone = 'UTC'")
        for key, value in given.items():
            self._write(key, value)

    def run(self, statement: str) -> pa.Table:
        """Run ``SET``, ``SET key``, ``SET key = value`` or ``SET TIME ZONE``.

        Args:
            statement: The whole statement.

        Raises:
            SqlError: There is no such time zone.
        """
        words = re.sub(r"^\s*set\b", "", statement, count=1, flags=re.IGNORECASE).strip().rstrip(";").strip()
        if words in ("", "-v"):
            return rows(_PAIR, sorted(self._values.items()))
        if zone := re.fullmatch(r"time\s+zone\s+(.*)", words, re.IGNORECASE | re.DOTALL):
            return self._set_time_zone(zone[1].strip())
        key, equals, value = (part.strip() for part in words.partition("="))
        if not equals:
            return rows(_PAIR, [(key, self._values.get(key, "<undefined>"))])
        self._write(key, value)
        return rows(_PAIR, [(key, value)])

    def _set_time_zone(self, zone: str) -> pa.Table:
        if interval := _INTERVAL.fullmatch(zone):
            hours = int(interval[2])
            zone = f"'{'-' if hours < 0 else '+'}{abs(hours):02}:00'"
        quoted = re.fullmatch(r"""(['"])(.*)\1""", zone, re.DOTALL)
        if zone.upper() != "LOCAL" and quoted is None:
            raise syntax_error(zone.split(maxsplit=1)[0] if zone else "")
        name = quoted[2] if quoted else "UTC"
        self._write("spark.sql.session.timeZone", name)
        return rows(_PAIR, [("spark.sql.session.timeZone", name)])

    def _write(self, key: str, value: str) -> None:
        if key.lower() in _TIME_ZONE:
            self._use_time_zone(value.strip("'\""))
        if key.lower() in _ANSI:
            self.ansi = value.strip("'\"").lower() != "false"
        self._values[key] = value

    def _use_time_zone(self, zone: str) -> None:
        offset = _OFFSET.fullmatch(zone)
        name = f"GMT{offset[1]}{int(offset[2]):02}:{offset[3] or '00'}" if offset else zone
        try:
            self._connection.execute(f"SET TimeZone = {text(name)}")
        except duckdb.Error:
            message = f"Cannot resolve the given timezone '{zone}'."
            raise SqlError("INVALID_CONF_VALUE.TIME_ZONE", message, "22022") from None
        self.time_zone = zone
