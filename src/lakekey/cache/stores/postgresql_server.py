"""One statement at a time to a PostgreSQL server: connecting, time limits, TLS, and what an error means.

Every limit is ours. libpq's own would let a connection to a host without power last for hours, and a server that is
frozen in the middle of a statement would be waited for without end.
"""

import os
import random
import selectors
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from lakekey._hosts import LOOPBACK
from lakekey._imports import libraries
from lakekey.cache.stores.alike import Unreadable, patience_of, spoken
from lakekey.cache.stores.findings import shown
from lakekey.cache.stores.late import Limit
from lakekey.cache.stores.store import reply_lost
from lakekey.cache.stores.turns import Turns
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, LakekeyError, StoreUnavailable

with libraries():
    try:
        import psycopg
        from psycopg import conninfo
    except ImportError:
        MISSING: ConfigurationError | None = ConfigurationError(
            "a postgresql:// store needs psycopg, which is not installed",
            hint="pip install 'lakekey[postgresql]'",
        )
    else:
        MISSING = None
        _ERRORS: tuple[type[Exception], ...] = (psycopg.Error, OSError, Unreadable)

_PATIENCE = 10.0  # seconds for one operation, all its attempts to connect included
_QUIET = 3.0  # seconds after an operation that failed in which the next ones try once, and do not wait again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_KEPT = (
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey",
    "sslcrl", "sslcrldir", "sslsni", "target_session_attrs", "load_balance_hosts", "connect_timeout", "krbsrvname",
    "channel_binding", "require_auth", "gssencmode", "ssl_min_protocol_version",
)  # fmt: skip
# What passes by itself: too many clients, a server that starts or stops, a deadlock, a statement that was cancelled.
_PASSES = ("08", "40", "53300", "53400", "55P03", "57")
# A server that says so lives, and has room again soon.
_CROWDED = ("too many clients", "connection slots", "starting up", "shutting down", "in recovery mode")
_BUSY = 3
# What does not pass: of a failed connection, libpq hands on the text alone.
_LASTS = (
    "authentication failed", "pg_hba.conf", "does not exist", "certificate", "SSL", "no password supplied",
    "permission denied",
)  # fmt: skip
#: SQLSTATE, or its class → the error, what has happened, and the next step.
_MEANINGS: Mapping[str, tuple[type[CacheError], str, str]] = MappingProxyType(
    {
        "25006": (CacheWriteFailed, "is read-only", "name the primary server in LAKEKEY_STORE, and not a standby"),
        "53": (CacheWriteFailed, "has no room: {said}", "free space on that server"),
        "42P01": (CacheError, "has no table yet", "an administrator runs: lakekey store init"),
        "3F000": (CacheError, "has no table yet", "an administrator runs: lakekey store init"),
        "42501": (
            CacheError,
            "denies access: {said}",
            "an administrator runs there: GRANT SELECT, INSERT, UPDATE, DELETE ON lakekey_store TO {role}",
        ),
        "42703": (CacheError, "has the table of another release: {said}", "pip install --upgrade lakekey"),
        "42804": (CacheError, "has the table of another release: {said}", "pip install --upgrade lakekey"),
    }
)  # fmt: skip
_UNKNOWN = (CacheError, "refuses: {said} ({state})", "run: lakekey doctor")
# A row that a policy refuses has the same state as a right that is lacking, and its text is in the server's language.
_POLICY = "ExecWithCheckOptions"
_POLICY_HINT = "an administrator runs there: ALTER TABLE lakekey_store DISABLE ROW LEVEL SECURITY"
T = TypeVar("T")


class Answer(NamedTuple):
    """The result of a statement.

    Attributes:
        changed: How many rows it has changed or found.
        rows: The rows, where there are some.
    """

    changed: int
    rows: list[tuple[Any, ...]]


class Server:
    """A server that is asked by connections of one statement.

    Args:
        address: As ``LAKEKEY_STORE`` has it.
        where: The same for people.
        seconds: How long one statement may take.

    Raises:
        ConfigurationError: The address says what must not be, or psycopg is not installed.
    """

    def __init__(self, address: str, where: str, seconds: float) -> None:
        self.where = where
        self._seconds = seconds
        if MISSING is not None:
            raise MISSING.with_traceback(None)  # the frames of an earlier raise hold addresses with passwords
        self._settings = settings_of(address, os.environ)
        self._patience = patience_of(self._settings.pop("connect_timeout", None), _PATIENCE)
        self._failed_at = -_QUIET
        self._turns: Turns[_Connection] = Turns()

    def __repr__(self) -> str:
        return f"Server({self.where})"

    def together(self) -> AbstractContextManager[None]:
        """See `Turns.together`."""
        return self._turns.together()

    def ask(self, statement: str, values: Sequence[Any] = ()) -> Answer:
        """Connect, ask, and hang up, unless another thread of this process waits to ask.

        Raises:
            StoreUnavailable: It cannot be reached, or (``in_doubt``) it is not known whether the statement was done.
            CacheWriteFailed: It does not take writes.
            CacheError: It has to be set up first.
        """
        answer = self._turns.turn(self._connection, partial(self._answer, statement, values))
        if isinstance(answer, LakekeyError):
            raise answer  # outside the handler: psycopg's errors know the connection, and so its password
        return answer

    def _answer(self, statement: str, values: Sequence[Any], connection: "_Connection") -> Answer | LakekeyError:
        try:
            connection.limit = Limit(time.monotonic() + self._seconds)
            return spoken(lambda: connection.answer(statement, values))
        except _ERRORS as error:
            meaning = self._meaning(error)
            if isinstance(meaning, StoreUnavailable):
                connection.close()
            return meaning

    def _connection(self) -> "_Connection":
        """A connection, tried for until the patience is over.

        Raises:
            StoreUnavailable: There is none to be had.
        """
        arrived = time.monotonic()
        allowed = self._patience if arrived - self._failed_at > _QUIET else 0.0
        pause = _FIRST_PAUSE
        while True:
            # libpq takes no fewer than two seconds. A pooler in transaction mode may know no prepared statements.
            left = int(allowed - (time.monotonic() - arrived))
            given: Any = {"connect_timeout": max(2, left), "prepare_threshold": None}
            try:
                return spoken(lambda: _Connection.connect(**self._settings, **given, autocommit=True))  # noqa: B023
            except _ERRORS as error:
                reason = self._reason(error)
            lasts = any(mark in reason for mark in _LASTS)
            if lasts:
                break
            patience = self._patience * _BUSY if any(mark in reason for mark in _CROWDED) else allowed
            if time.monotonic() - arrived + pause > patience:
                break
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the clients, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._failed_at = time.monotonic()
        wrong = "correct the user, the password, the database or the certificate of LAKEKEY_STORE"
        raise StoreUnavailable(
            f"the store {self.where} cannot be reached: {reason}",
            hint=f"{wrong if lasts else 'try again'}; {'then' if lasts else 'if it lasts,'} run: lakekey doctor",
        )

    def _meaning(self, error: Exception) -> CacheError:
        state = getattr(error, "sqlstate", None) or ""
        said = self._reason(error)
        if not state or state.startswith(_PASSES):
            return reply_lost(f"the store {self.where} did not answer: {said}")
        kind, what, hint = _MEANINGS.get(state) or _MEANINGS.get(state[:2]) or _UNKNOWN
        diagnosis = getattr(error, "diag", None)
        if diagnosis is not None and diagnosis.source_function == _POLICY:
            hint = _POLICY_HINT
        role = self._settings.get("user", "ROLE")
        return kind(f"the store {self.where} {what.format(said=said, state=state)}", hint=hint.format(role=role))

    def _reason(self, error: Exception) -> str:
        """What the server or the client library says, on one line and without the password."""
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for mark in ("FATAL:", "failed:", "connection failed:"):
            said = said.rpartition(mark)[2].strip() or said
        password = str(self._settings.get("password") or "")
        return shown(said.replace(password, "…") if password else said)


_servers: dict[tuple[str, float], Server] = {}


def server_at(address: str, where: str, seconds: float) -> Server:
    """The one of this process for an address, so that all its threads share a connection."""
    return _servers.get((address, seconds)) or _servers.setdefault((address, seconds), Server(address, where, seconds))


def settings_of(address: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a connection to an address.

    Args:
        address: As ``LAKEKEY_STORE`` has it.
        environ: The environment, whose ``PGPASSWORD``, ``PGHOSTADDR`` and the like libpq heeds.

    Raises:
        ConfigurationError: It is malformed, names no host, or asks for a connection that verifies nothing.
    """
    trouble: LakekeyError | None = None
    try:
        given = conninfo.conninfo_to_dict(address)
    except psycopg.Error:  # its message quotes the address
        given, trouble = {}, _unreadable()
    # A raw / in a password ends the place before its @: then the user would pass for the host, and a part of the
    # password for its port. Both would be shown.
    path = address.partition("://")[2].partition("?")[0].partition("/")[2]
    ports = str(given.get("port") or "").split(",")
    if "@" in path or not all(port == "" or port.isdecimal() for port in ports):
        trouble = _unreadable()
    if trouble is not None:
        raise trouble
    unknown = sorted(set(given) - set(_KEPT))
    if unknown:
        raise _invalid(f"has the parameter {unknown[0]!r}, which this store does not take", f"remove {unknown[0]}")
    hosts = str(given.get("host") or given.get("hostaddr") or "").split(",")
    if not all(hosts):
        raise _invalid("names no host", "write the host, or ?host=/var/run/postgresql for a socket")
    # libpq connects to the address, and has the name for the certificate only: each of both must be near.
    addresses = str(given.get("hostaddr") or environ.get("PGHOSTADDR") or "")
    near = all(host.startswith(("/", "@")) or host in LOOPBACK for host in (*hosts, *addresses.split(",")) if host)
    mode = given.get("sslmode")
    if not near and mode not in (None, "verify-full"):
        raise _invalid(
            f"sets sslmode={mode}, which does not check whose server it is",
            "set sslmode=verify-full, and sslrootcert to the file of its authority",
        )
    settings: dict[str, Any] = {name: given[name] for name in _KEPT if given.get(name) is not None}
    settings["hostaddr"] = addresses  # also if there is none, so that no file of services brings one
    settings["sslmode"] = mode or ("prefer" if near else "verify-full")
    if settings["sslmode"] == "verify-full":
        settings.setdefault("sslrootcert", environ.get("PGSSLROOTCERT") or "system")
    settings |= {
        "application_name": "lakekey",
        # TLS is what protects here; and GSSAPI is slow to find out.
        "gssencmode": settings.get("gssencmode", "disable"),
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    return settings


def _unreadable() -> ConfigurationError:
    return _invalid("cannot be read", "write postgresql://USER@HOST:PORT/DATABASE, and percent-encode what is special")


def _invalid(what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"the address of the store (LAKEKEY_STORE) {what}", hint=hint)


if MISSING is None:

    class _Connection(psycopg.Connection[tuple[Any, ...]]):
        """A connection whose waits end.

        Attributes:
            limit: When to give up.
        """

        limit = Limit(float("inf"))

        def answer(self, statement: str, values: Sequence[Any]) -> Answer:
            """What the server says to a statement."""
            cursor = self.execute(statement, values)
            return Answer(cursor.rowcount, cursor.fetchall() if cursor.description is not None else [])

        def wait(self, gen: Generator[Any, Any, T], interval: float = 0.0, timeout: float | None = None) -> T:  # noqa: ARG002
            """Go on with a generator of psycopg's whenever the socket is ready, until the time is over."""
            try:
                wanted = next(gen)
                with selectors.DefaultSelector() as selector:
                    selector.register(self.pgconn.socket, wanted)
                    while True:
                        ready = selector.select(self.limit.left())
                        if not ready:
                            self.pgconn.finish()  # what the server still does is not ours to wait for
                            raise TimeoutError("it took too long")
                        wanted = gen.send(ready[0][1])
                        selector.modify(self.pgconn.socket, wanted)
            except StopIteration as done:
                result: T = done.value
                return result
