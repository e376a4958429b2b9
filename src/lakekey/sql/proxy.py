"""What stands for an object of the connector: wrapped rather than subclassed, since the inside differs by release."""

import functools
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, Self

from databricks import sql

from lakekey.configuration.target import Target
from lakekey.sql.arguments import TokenTracker
from lakekey.sql.attempts import counted
from lakekey.sql.connector_errors import explained, refused, typed
from lakekey.sql.statements import BEGINNINGS, started_nothing


class Proxy:
    """Stands for an object of the connector: what a program reads or sets on it, it reads or sets on that object.

    Attributes:
        _assigned: What the program has set, to be set on the object that replaces this one.
        _kept_here: What the program may replace, and is kept on this object, since it calls what is here.
    """

    _stands_for: str
    _kept_here: frozenset[str] = frozenset()
    _assigned: dict[str, Any]

    @property  # type: ignore[misc]  # which may be set on other objects
    def __class__(self) -> Any:
        return type(getattr(self, self._stands_for))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name in ("_assigned", self._stands_for):  # not made yet, as in a copy
            raise AttributeError(name)
        theirs = getattr(self, self._stands_for)
        return self._checked(theirs, getattr(theirs, name))

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if name in own or self._stands_for not in own or name in self._kept_here or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(own[self._stands_for], name, value)
            self._assigned[name] = value

    def __delattr__(self, name: str) -> None:
        if name in vars(self) or hasattr(type(self), name):
            object.__delattr__(self, name)
        else:
            delattr(getattr(self, self._stands_for), name)
            self._assigned.pop(name, None)

    def _carry_over(self, replacement: Any) -> None:
        for name, value in self._assigned.items():
            setattr(replacement, name, value)

    def _checked(self, theirs: Any, found: Any) -> Any:
        """An attribute of the connector's; if it is a method, one whose errors are typed."""
        if not isinstance(found, MethodType) or found.__self__ is not theirs:
            return found
        method, stands_for = found.__func__, self._stands_for

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            # Of what is there now: after a renewal, that is another object.
            return self._call(functools.partial(method, getattr(self, stands_for), *args, **kwargs))

        return call

    def _call(self, work: Callable[[], Any]) -> Any:
        raise NotImplementedError


class ConnectionProxy(Proxy):
    """Stands for the connector's connection, which begins some statements with a cursor of its own.

    Attributes:
        connection: The connector's own connection.
        _tracker: What signs it in.
        _target: Where to.
    """

    _stands_for = "connection"
    connection: Any
    _tracker: TokenTracker
    _target: Target

    @property
    def autocommit(self) -> bool:
        """Whether each statement commits itself; an attribute of the connector's connection that can be set."""
        mode: bool = self._run_internal(lambda: self.connection.autocommit, repeatable=True)
        return mode

    @autocommit.setter
    def autocommit(self, mode: bool) -> None:
        self._set_autocommit(mode)

    def commit(self) -> None:
        """Commit the transaction. If the answer is lost, it may be committed: the connector does not try again."""
        self._run_internal(self.connection.commit, repeatable=False)

    def rollback(self) -> None:
        """Take the transaction back."""
        self._run_internal(self.connection.rollback, repeatable=True)

    def _set_autocommit(self, mode: bool) -> None:
        self._run_internal(lambda: setattr(self.connection, "autocommit", mode), repeatable=True)

    def _run_internal(self, work: Callable[[], Any], *, repeatable: bool) -> Any:
        def call() -> Any:
            with counted(repeatable=repeatable):
                return work()

        return self._call(call)

    def _call(self, work: Callable[[], Any], *, batch: bool = False) -> Any:
        """Do something with the connector that is not sent again; a refused token is replaced for what comes next."""
        self._tracker.check()
        try:
            return typed(work)
        except sql.exc.Error as error:
            if not refused(error):
                raise
            refusal = error
        raise self._refused(refusal, batch=batch)

    def _refused(self, refusal: sql.exc.Error, *, batch: bool = False) -> sql.exc.Error:
        """The error of a call that is not made again; the refused token is replaced for what comes next."""
        renewed = self._tracker.renewed(has_not_run=started_nothing(refusal) and not batch)
        return explained(refusal, self._target.name, renewed=renewed, batch=batch)


class CursorProxy(Proxy):
    """Stands for the connector's cursor: its connection begins the statements, and makes errors typed.

    Attributes:
        cursor: The connector's own cursor.
        _owner: What stands for the connection that made it.
    """

    _stands_for = "cursor"
    _kept_here = BEGINNINGS | {"close"}  # which the connector calls of each cursor of a session that it closes
    cursor: Any
    _owner: Any

    def __getattr__(self, name: str) -> Any:
        if name in BEGINNINGS:
            return functools.update_wrapper(functools.partial(self._begin, name), getattr(self.cursor, name))
        return super().__getattr__(name)

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.cursor)
        while (row := self._call(lambda: next(rows, None))) is not None:
            yield row

    @property
    def connection(self) -> Any:
        """The connection that made it (PEP 249)."""
        return self._owner

    def _begin(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = self._owner.begin(self, name, *args, **kwargs)
        return self if result is self.cursor else result

    def _call(self, work: Callable[[], Any]) -> Any:
        return self._owner._call(work)  # noqa: SLF001 - one of its two parts
