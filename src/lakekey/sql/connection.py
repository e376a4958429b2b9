"""A connector's connection and cursor, wrapped: typed errors, and one new connection after a 401.

Wrapped rather than subclassed: the inside of the connector's classes differs between the releases that people run
(4.1 has no session object, for one), their outside does not.
"""

import functools
import re
import weakref
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, Self

from databricks import sql

from lakekey.errors import LakekeyError, LoginRequired
from lakekey.providers.provider import Provider
from lakekey.sql import Handing, kernel_refusal, refused, unwrap

# What begins a statement: refused with 401, it has not run, and may be sent again.
_BEGINNINGS = frozenset({"execute", "execute_async", "executemany", "catalogs", "schemas", "tables", "columns"})
# What later statements depend on and a new session does not have: without it they could meet another table, or stand
# outside their transaction.
_SHAPES_THE_SESSION = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|;)*"
    r"(?:use|set|reset|begin|start|declare|create\s+(?:or\s+replace\s+)?(?:global\s+)?temp(?:orary)?)\b",
    re.IGNORECASE | re.DOTALL,
)


class Connection:
    """A signed-in connection; what is not here is the connector's own.

    Args:
        provider: Signs it in.
        arguments: The connector's arguments.
        pass_through: See `lakekey.sql.connect`.
        fixed_token: See `lakekey.sql.connect`.

    Attributes:
        connection: The connector's own connection.
    """

    def __init__(
        self, provider: Provider, arguments: dict[str, Any], *, pass_through: bool = False, fixed_token: bool = False
    ) -> None:
        self._arguments = arguments
        self._target = provider.target
        self._handing = Handing(provider, pass_through=pass_through)
        self._fixed_token = fixed_token
        self._session_is_shaped = False
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self.connection = self._open(again=True)

    def __getattr__(self, name: str) -> Any:
        return self.typing(getattr(self.connection, name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def autocommit(self) -> bool:
        """Whether each statement commits itself; an attribute of the connector's connection that can be set."""
        mode: bool = self.typed(lambda: self.connection.autocommit)
        return mode

    @autocommit.setter
    def autocommit(self, mode: bool) -> None:
        self.typed(lambda: setattr(self.connection, "autocommit", mode))
        self._session_is_shaped |= not self.autocommit

    def cursor(self, *args: Any, **kwargs: Any) -> "Cursor":
        """A cursor, as the connector makes it."""
        cursor = Cursor(self, args, kwargs)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Close the connection and its cursors."""
        self.typed(self.connection.close)

    def guarded(self, cursor: "Cursor", name: str, *args: Any, **kwargs: Any) -> Any:
        """Begin a statement; where the token was refused, once more on a new connection with a new token.

        Not so where the session has what a new one would lack: the refusal comes out then.
        """
        try:
            return self._begin(cursor, name, *args, **kwargs)
        except sql.exc.Error as error:
            if not refused(error) or self._fixed_token:
                raise
            if self._session_is_shaped:
                self._handing.invalidate()  # for the connection that the caller will make
                raise
        self._handing.invalidate()
        self._reopen()
        return self._begin(cursor, name, *args, **kwargs)

    def _begin(self, cursor: "Cursor", name: str, *args: Any, **kwargs: Any) -> Any:
        result = self.typed(functools.partial(getattr(cursor.cursor, name), *args, **kwargs))
        statement = args[0] if args else kwargs.get("operation")
        if name.startswith("execute") and isinstance(statement, str):
            self._session_is_shaped |= _SHAPES_THE_SESSION.match(statement) is not None
        return result

    def _open(self, *, again: bool) -> Any:
        # Asked for here, before the connector is: what is wrong with the sign-in comes out as it is.
        self._handing()()
        if self._fixed_token:
            return self.typed(lambda: sql.connect(access_token=self._handing.token, **self._arguments))
        try:
            return self.typed(self._connect)
        except sql.exc.Error as error:
            if not refused(error) or not again:
                raise
        self._handing.invalidate()
        return self.typed(self._connect)

    def _connect(self) -> Any:
        try:
            return sql.connect(credentials_provider=self._handing, **self._arguments)
        except Exception as error:
            kernel_only = kernel_refusal(error, self._target, asked=bool(self._arguments.get("use_kernel")))
            if kernel_only is None:
                raise
            raise kernel_only from error

    def _reopen(self) -> None:
        """A new session at the server, for this connection and all its cursors; the old one's state is gone."""
        # Not again: the token that is refused now has just been made.
        old, self.connection = self.connection, self._open(again=False)
        for cursor in list(self._cursors):
            cursor.renew()
        with_suppressed_errors(old.close)

    def typing(self, found: Any) -> Any:
        """An attribute of the connector's; where it is a method, one whose errors are typed."""
        if not isinstance(found, MethodType):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.typed(functools.partial(found, *args, **kwargs))

        return call

    def typed(self, work: Callable[[], Any]) -> Any:
        """Do something with the connector; an error of ours comes out of it as it is."""
        try:
            return work()
        except LakekeyError:
            raise
        except Exception as error:
            ours = unwrap(error)
            if ours is None:
                raise
        raise ours


class Cursor:
    """A cursor that outlives its connection's token; what is not here is the connector's own.

    Attributes:
        cursor: The connector's own cursor.
    """

    def __init__(self, owner: Connection, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._owner = owner
        self._made_with = (args, kwargs)
        self.cursor: Any = None
        self.renew()

    def __getattr__(self, name: str) -> Any:
        if name in _BEGINNINGS:
            return functools.partial(self._begin, name)
        return self._owner.typing(getattr(self.cursor, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("arraysize", "buffer_size_bytes"):
            setattr(self.cursor, name, value)
        else:
            object.__setattr__(self, name, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cursor.close()

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.cursor)
        while (row := self._owner.typed(lambda: next(rows, None))) is not None:
            yield row

    @property
    def connection(self) -> Connection:
        """The connection that made it (PEP 249)."""
        return self._owner

    def renew(self) -> None:
        """Take a new cursor of the connection's current session."""
        args, kwargs = self._made_with
        old, self.cursor = self.cursor, self._owner.connection.cursor(*args, **kwargs)
        if old is not None:
            self.cursor.arraysize = old.arraysize

    def _begin(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = self._owner.guarded(self, name, *args, **kwargs)
        return self if result is self.cursor else result


def with_suppressed_errors(work: Callable[[], Any]) -> None:
    """Tidy up; what is wrong with a connection that is given up is nobody's concern."""
    try:
        work()
    except (sql.exc.Error, LoginRequired, OSError):
        return
