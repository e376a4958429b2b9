"""A connector's connection and cursor, wrapped: typed errors, and one new connection after a refused statement.

Wrapped rather than subclassed: the inside of the connector's classes differs between the releases that people run,
their outside does not.
"""

import contextlib
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from databricks import sql

from lakekey._inside_work import holding, is_holding
from lakekey.errors import LockTimeout
from lakekey.providers.provider import Provider
from lakekey.sql.arguments import TokenTracker
from lakekey.sql.attempts import counted, watched
from lakekey.sql.bystanders import Bystanders
from lakekey.sql.connector_errors import explained, kernel_refusal, refused, typed
from lakekey.sql.proxy import ConnectionProxy, CursorProxy
from lakekey.sql.statements import is_plain_read, started_nothing


class Connection(ConnectionProxy):
    """A signed-in connection; what is not here is the connector's own.

    Args:
        provider: Signs it in.
        arguments: The connector's arguments.
        pass_through: See `lakekey.sql.connect`.
        fixed_token: See `lakekey.sql.connect`.

    Attributes:
        connection: The connector's own connection.
    """

    def __init__(self, provider: Provider, arguments: dict[str, Any], *, pass_through: bool, fixed_token: bool) -> None:
        self._assigned = {}
        self._arguments = arguments
        self._target = provider.target
        self._tracker = TokenTracker(provider, pass_through=pass_through)
        self._fixed_token = fixed_token
        # How many statements were begun that are not plainly reads. Later ones may depend on what they left in the
        # session: on a new one, they could meet another table, or stand outside their transaction.
        self._shaping = 0
        # Held for a few steps, never over the network, as a statement is begun and as the session is replaced.
        self._lock = threading.RLock()
        self._cursors: weakref.WeakValueDictionary[int, Cursor] = weakref.WeakValueDictionary()
        connection = self._open()
        self._bystanders = Bystanders(connection)
        self.connection = connection

    def cursor(self, *args: Any, **kwargs: Any) -> "Cursor":
        """A cursor, as the connector makes it."""
        with self._step():
            cursor = Cursor(self, args, kwargs)
            self._cursors[id(cursor)] = cursor
        return cursor

    def close(self) -> None:
        """Close the connection and its cursors."""
        self._call(self.connection.close)

    def begin(self, cursor: "Cursor", name: str, *args: Any, **kwargs: Any) -> Any:
        """Begin a statement; if the server refuses to start it, once more on a new connection with a new token.

        Only a refusal of the call that starts it says that it has not run. It is not sent again either if anything may
        hang on the session: an earlier statement that is not plainly a read, or another cursor's statement or result,
        also of cursors that the program made past us.
        """
        self._tracker.check()
        reads = not name.startswith("execute") or is_plain_read(args[0] if args else kwargs.get("operation"))
        with self._step():
            alone = not (self._fixed_token or self._shaping or self._is_used_beside(cursor))
            # Beforehand: a statement that fails may have had its effect.
            self._shaping += not reads
            cursor.is_running = True
            first = getattr(cursor.cursor, name)
        try:
            try:
                return self._run(cursor, functools.partial(first, *args, **kwargs), reads=reads)
            except sql.exc.Error as error:
                if not refused(error):
                    raise
                refusal = error
            batch = name == "executemany"  # its first rows may be written
            has_not_run = started_nothing(refusal) and not batch
            renewed = self._tracker.renewed(has_not_run=has_not_run)
            if not (renewed and alone and has_not_run and self._reopen(cursor, shaping=int(not reads))):
                raise self._explained(refusal, renewed=renewed, batch=batch)
            second = getattr(cursor.cursor, name)
            return self._call(lambda: self._run(cursor, functools.partial(second, *args, **kwargs), reads=reads))
        finally:
            cursor.is_running = False

    def _run(self, cursor: "Cursor", call: Callable[[], Any], *, reads: bool) -> Any:
        with counted(cursor.cursor, repeatable=reads):
            result = typed(call)
        self._tracker.served()
        return result

    def _is_used_beside(self, cursor: "Cursor") -> bool:
        """Whether another cursor is at work on this session, has a result, or has shaped it past us."""
        past_us = self._bystanders
        if past_us.have_shaped or past_us.are_running():
            return True
        ours = [other for other in self._cursors_in_use() if other is not cursor]
        # Its own list has those, too, that were made without us.
        theirs = [*list(getattr(self.connection, "_cursors", ())), *past_us.cursors()]
        return any(other.is_running for other in ours) or any(
            found.active_result_set is not None or found.active_command_id is not None
            for found in (*theirs, *(other.cursor for other in ours))
            if found is not cursor.cursor
        )

    def _cursors_in_use(self) -> "list[Cursor]":
        # Of one look: code that interrupts it, such as a finalizer, may make cursors.
        found = (reference() for reference in self._cursors.valuerefs())
        return [cursor for cursor in found if cursor is not None]

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """The lock, for a few steps.

        Raises:
            LockTimeout: Another thread has it, and this is code of the program that interrupts such steps, of this or
                another connection: two threads that do so would wait for each other.
        """
        waits = not is_holding()
        with holding():
            try:
                if not self._lock.acquire(blocking=waits):
                    raise LockTimeout(
                        "another thread is using this connection, and code that interrupts one does not wait",
                        hint="use a separate connection there",
                        profile=self._target.name,
                    )
                yield
            finally:
                with contextlib.suppress(RuntimeError):  # interrupted before it was taken
                    self._lock.release()

    def _set_autocommit(self, mode: bool) -> None:
        with self._step():
            self._shaping += 1  # beforehand: where an answer is lost, it may be off
        super()._set_autocommit(mode)
        if self.autocommit:
            with self._step():
                self._shaping -= 1

    def _open(self) -> Any:
        # Asked for here, before the connector is: what is wrong with the sign-in comes out as it is.
        self._tracker()()
        try:
            return typed(self._connect)
        except sql.exc.Error as error:
            if not refused(error):
                raise
            refusal = error
        if not self._tracker.renewed(has_not_run=True):
            raise self._explained(refusal, renewed=False)
        return self._call(self._connect)

    def _connect(self) -> Any:
        if self._fixed_token:
            self._tracker()()
            return watched(sql.connect(access_token=self._tracker.token, **self._arguments))
        handled, asked = sys.exception(), bool(self._arguments.get("use_kernel"))
        try:
            return watched(sql.connect(credentials_provider=self._tracker, **self._arguments))
        except Exception as error:
            kernel_only = kernel_refusal(error, self._target, asked=asked, handled=handled)
            if kernel_only is None:
                raise
            raise kernel_only from error

    def _reopen(self, cursor: "Cursor", *, shaping: int) -> bool:
        """Get a new session of the server, for this connection and all its cursors, none of which has a result.

        Args:
            cursor: The cursor whose statement was refused.
            shaping: How many of the statements that may have left something in the session are that cursor's.

        Returns:
            Whether it is in use: not if another thread has begun something on the old one meanwhile.
        """
        old = self.connection
        try:
            new = typed(self._connect)
        except sql.exc.Error as error:
            if not refused(error):
                raise
            refusal = error
        else:
            try:
                self._carry_over(new)
                with self._step():
                    past_us = self._bystanders
                    turn = past_us.next_turn()
                    is_alone = old.open and self._shaping == shaping and not self._is_used_beside(cursor)
                    if is_alone and past_us.end(turn):
                        self._bystanders = Bystanders(new)
                        self.connection = new
                        for each in self._cursors_in_use():
                            each.renew()
            finally:
                with contextlib.suppress(Exception):  # it is given up; the old one's token was refused
                    (old if self.connection is new else new).close()
            return self.connection is new
        raise self._refused(refusal)

    def _explained(self, refusal: sql.exc.Error, *, renewed: bool, batch: bool = False) -> sql.exc.Error:
        return explained(refusal, self._target.name, renewed=renewed, batch=batch)


class Cursor(CursorProxy):
    """A cursor that outlives its connection's token; what is not here is the connector's own.

    Attributes:
        cursor: The connector's own cursor.
        is_running: Whether it is at a statement now, in some thread.
    """

    def __init__(self, owner: Connection, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._assigned = {}
        self._owner = owner
        self._made_with = (args, kwargs)
        self.is_running = False
        self.cursor: Any = owner.connection.cursor(*args, **kwargs)

    def renew(self) -> None:
        """Take a new cursor of the connection's current session; a closed one stays as it is."""
        if not self.cursor.open:
            return
        args, kwargs = self._made_with
        self.cursor = self._owner.connection.cursor(*args, **kwargs)
        self._carry_over(self.cursor)
