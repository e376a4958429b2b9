"""One command at a time to a Redis or Valkey server: which node, when to try again, and what an error means.

The library's client retries by itself, ten times and silently: a write could be applied twice. So its connection is
used without its client, and every decision about trying again is made here or in the store.
"""

import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from lakekey import _log
from lakekey._hosts import LOOPBACK
from lakekey._imports import LOADING
from lakekey.cache.stores.alike import Unreadable, patience_of
from lakekey.cache.stores.findings import FAILED, WARNING, Finding, shown
from lakekey.cache.stores.redis_address import Node, address_of
from lakekey.cache.stores.redis_connection import MISSING, Wire, new_connection, opened
from lakekey.cache.stores.redis_findings import findings
from lakekey.cache.stores.store import reply_lost
from lakekey.cache.stores.turns import Turns
from lakekey.errors import CacheError, CacheWriteFailed, StoreUnavailable

if MISSING is None:
    from redis import exceptions as refusals

_PATIENCE = 10.0  # seconds for one operation, all its attempts to connect included
_QUIET = 3.0  # seconds after an operation that failed in which the next ones try once, and do not wait again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
# What is not done and may be done in a moment. BUSY: another script runs for long; NOREPLICAS: `min-replicas-to-write`.
_PASSING_WORDS = ("READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY ", "NOREPLICAS", "max number")
# A slot whose move was broken off stays between two nodes.
_BETWEEN = "try again; if it lasts, an administrator completes the slot's move: redis-cli --cluster fix HOST:PORT"
_RIGHTS = "~{{{prefix}}}:* +get +set +del +eval +hget +hmget +hset +pexpire +zadd +zrem +zrangebylex +zcard +time +info"


class Server:
    """A server that is asked by connections of one command.

    Args:
        address: As ``LAKEKEY_STORE`` has it.
        where: The same for people.
        seconds: How long one command may take.

    Attributes:
        prefix: The hash tag of the store's keys.

    Raises:
        ConfigurationError: The address says what must not be, or redis-py is not installed.
    """

    def __init__(self, address: str, where: str, seconds: float) -> None:
        self.where = where
        self._seconds = seconds
        if MISSING is not None:
            raise MISSING.with_traceback(None)  # the frames of an earlier raise hold addresses with passwords
        self._address = address_of(address)
        self.prefix = self._address.options.get("prefix", "lakekey")
        self._patience = patience_of(self._address.options.get("connect_timeout"), _PATIENCE)
        self._node: Node | None = None
        self._failed_at = -_QUIET
        self._kept = False
        self._turns: Turns[Wire] = Turns()

    def __repr__(self) -> str:
        return f"Server({self.where})"

    def together(self) -> AbstractContextManager[None]:
        """See `Turns.together`."""
        return self._turns.together()

    def ask(self, *words: Any) -> Any:
        """Connect, ask, and hang up, unless another thread of this process waits to ask.

        Raises:
            StoreUnavailable: It cannot be reached, or (``in_doubt``) it is not known whether the command was done.
            CacheWriteFailed: It does not take writes.
            CacheError: It refuses this user, or the command.
        """
        arrived, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            reply, meaning, again = self._turns.turn(self._connection, partial(self._reply, words))
            if meaning is None:
                return reply
            if not again or time.monotonic() - arrived > self._patience:
                raise meaning  # outside the handler: the library's error may quote the command
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the clients, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _reply(self, words: tuple[Any, ...], connection: Wire) -> tuple[Any, CacheError | None, bool]:
        """The reply; or what an error means, and whether to ask again."""
        try:
            return connection.ask(*words), None, False
        except _REFUSALS as error:
            connection.close()
            if type(error) is not refusals.AskError:  # a redirection for good is one of these, too
                return None, *self._meaning(error)
            host, port = error.host, error.port
        return self._ask_node(host, port, words)

    def _ask_node(self, host: str, port: int, words: tuple[Any, ...]) -> tuple[Any, CacheError | None, bool]:
        """The same by the node to which a slot is on its way, for this command only: some of its keys are there."""
        host = host or self._host_now
        connection: Wire | None = None
        try:
            self._require_near(host)
            made, _ = opened(lambda: new_connection(self._address, (host, port), max(self._patience, 2.0)))
            connection = Wire(made, self._seconds)
            return connection.ask(*words, moving=True), None, False
        except CacheError as error:
            return None, error, False
        except _REFUSALS as error:
            if connection is None:  # nothing was sent
                return None, *self._not_connected(error)
            return None, *self._meaning(error)
        finally:
            if connection is not None:
                connection.close()

    def require_keeper(self) -> None:
        """Refuse a server that would drop or lose entries by design; asked once in a process.

        Raises:
            CacheError: It evicts what has no time to live, or is a replica.
            StoreUnavailable: It is one that the sentinels still take for the primary.
        """
        if self._kept:
            return
        for finding in self.findings():
            if finding.status == FAILED and finding.name == "writes" and self._address.sentinels:
                raise self._passes(f"{finding.finding}, and the sentinels name no other yet")
            if finding.status == FAILED:
                raise CacheError(f"the store {self.where} must not be used: {finding.finding}", hint=finding.next_step)
            if finding.status == WARNING:
                _log.warning("cache", "the store %s: %s (%s)", self.where, finding.finding, finding.next_step)
        self._kept = True

    def findings(self) -> Iterator[Finding]:
        """What the server promises; see `redis_findings`."""
        return findings(self.ask, encrypted=self._address.encrypted)

    def _connection(self) -> Wire:
        """A connection, tried for until the patience is over.

        Raises:
            StoreUnavailable: There is none to be had.
        """
        arrived = time.monotonic()
        allowed = self._patience if arrived - self._failed_at > _QUIET else 0.0
        pause = _FIRST_PAUSE
        while True:
            left = max(allowed - (time.monotonic() - arrived), 2.0)
            try:
                node = self._node or self._first_node(left)
                connection, _ = opened(partial(new_connection, self._address, node, left))
                return Wire(connection, self._seconds)
            except _REFUSALS as error:
                reason, again = self._not_connected(error)
            self._node = None  # a node of a cluster may be gone, or a primary replaced
            if not again or time.monotonic() - arrived + pause > allowed:
                break
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - as above
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._failed_at = time.monotonic()
        raise reason

    def _not_connected(self, error: Exception) -> tuple[StoreUnavailable, bool]:
        """Why there is no connection to a node, and whether there may be one in a moment."""
        reason = self._reason(error)
        refused = isinstance(error, refusals.AuthenticationError | refusals.NoPermissionError)
        lasts = refused or "CERTIFICATE" in reason.upper()
        return self._away(reason, lasts=lasts), not lasts

    def _first_node(self, seconds: float) -> Node:
        """Where to begin: the address's host, or the primary that its sentinels name.

        Raises:
            ConnectionError: No sentinel names one.
            CacheError: It would be spoken to in clear, and is another host.
        """
        address = self._address
        if not address.sentinels:
            return address.host, address.port
        # Asked for each connection: a primary that has been replaced may go on answering for a while.
        with LOADING:
            from lakekey.cache.stores.redis_sentinel import primary_of

        node = primary_of(address, partial(new_connection, address, of_sentinel=True), seconds)
        self._require_near(node[0])
        return node

    def _meaning(self, error: Exception) -> tuple[CacheError, bool]:
        """What an error means, and whether the command was not done and may be done in a moment."""
        # Redis 6.2 wraps what a script's command says: "ERR Error running script (…): -NOREPLICAS …".
        said = self._reason(error).rpartition(": -")[2]
        if isinstance(error, refusals.MovedError):
            return self._moved(error.host, error.port, said)
        if isinstance(error, _PASSES) or said.startswith(_PASSING_WORDS):
            return self._passes(said, _BETWEEN if isinstance(error, refusals.TryAgainError) else "try again"), True
        if isinstance(error, refusals.OutOfMemoryError) or said.startswith(("OOM", "MISCONF")):
            hint = "free memory or disk on that server"
            return CacheWriteFailed(f"the store {self.where} has no room: {said}", hint=hint), False
        if isinstance(error, refusals.NoPermissionError) or said.startswith("NOPERM"):
            rights = _RIGHTS.format(prefix=self.prefix) + (" +select" if self._address.database else "")
            hint = f"an administrator runs there: ACL SETUSER NAME {rights}"
            return CacheError(f"the store {self.where} denies access: {said}", hint=hint), False
        if not isinstance(error, refusals.ResponseError):  # none came, or none that can be read
            if isinstance(error, refusals.AuthenticationError):  # a reply, which the library files under these
                lost = self._away(said, lasts=True)
            else:
                lost = reply_lost(f"the store {self.where} did not answer: {said}")
            return lost, False
        return CacheError(f"the store {self.where} refuses: {said}", hint="run: lakekey store check"), False

    def _moved(self, host: str, port: int, said: str) -> tuple[CacheError, bool]:
        """Go on with another node; by a clear connection, with one of this host only."""
        host = host or self._host_now
        try:
            self._require_near(host)
        except CacheError as error:
            return error, False
        self._node = host, port
        return self._passes(said), True

    @property
    def _host_now(self) -> str:
        """The host that answers, which a redirection to an empty one means."""
        return (self._node or (self._address.host, 0))[0]

    def _require_near(self, host: str) -> None:
        """Refuse another host by a clear connection. Raises `CacheError`."""
        if not self._address.encrypted and host not in LOOPBACK:
            what = f"sends us to {shown(host)}, and would send everything in clear to another host"
            raise CacheError(f"the store {self.where} {what}", hint="use rediss:// and turn on TLS on the server")

    def _away(self, reason: str, *, lasts: bool) -> StoreUnavailable:
        hint = "correct the user, the password or the certificate that LAKEKEY_STORE names" if lasts else "try again"
        then = "then" if lasts else "if it lasts,"
        return StoreUnavailable(
            f"the store {self.where} cannot be reached: {reason}", hint=f"{hint}; {then} run: lakekey doctor"
        )

    def _passes(self, said: str, hint: str = "try again") -> StoreUnavailable:
        return StoreUnavailable(f"the store {self.where} cannot do that now: {said}", hint=hint)

    def _reason(self, error: Exception) -> str:
        """What the server or the library says, on one line and without the password."""
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for password in (self._address.password, self._address.options.get("sentinel_password")):
            text = text.replace(password, "…") if password else text
        return shown(text)


if MISSING is None:
    _PASSES: tuple[type[Exception], ...] = (
        refusals.ReadOnlyError, refusals.BusyLoadingError, refusals.TryAgainError, refusals.AskError,
        refusals.ClusterDownError, refusals.MasterDownError,
    )  # fmt: skip
    _REFUSALS: tuple[type[Exception], ...] = (refusals.RedisError, OSError, Unreadable)

_servers: dict[tuple[str, float], Server] = {}


def server_at(address: str, where: str, seconds: float) -> Server:
    """The one of this process for an address, so that all its threads share a connection."""
    return _servers.get((address, seconds)) or _servers.setdefault((address, seconds), Server(address, where, seconds))
