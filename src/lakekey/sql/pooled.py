"""A connector's connection as a pool holds it: typed errors, refusals explained, and nothing sent again.

A pool such as SQLAlchemy's has its own idea of a transaction and drops a connection that was refused, so nothing is
repeated here; see `lakekey.sql.connection` for the one that repeats.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Self

from databricks import sql

from lakekey.configuration.target import Target
from lakekey.sql.arguments import Handing
from lakekey.sql.connector_errors import explained, refused, typed
from lakekey.sql.proxy import Proxy
from lakekey.sql.statements import BEGINNINGS, started_nothing


class PooledConnection(Proxy):
    """Stands for the connector's connection.

    Args:
        connection: The connector's connection.
        handing: What signs it in.
        target: Where to.

    Attributes:
        connection: The connector's own connection.
    """

    _stands_for = "connection"

    def __init__(self, connection: Any, handing: Handing, target: Target) -> None:
        self._assigned = {}
        self._handing = handing
        self._target = target
        self.connection = connection

    def cursor(self, *args: Any, **kwargs: Any) -> "PooledCursor":
        """A cursor, as the connector makes it."""
        return PooledCursor(self, self.connection.cursor(*args, **kwargs))

    def begin(self, cursor: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        """Begin a statement, or in ``executemany`` several."""
        work = functools.partial(getattr(cursor, name), *args, **kwargs)
        result = self._call(work, batch=name == "executemany")
        self._handing.served()
        return result

    def _call(self, work: Callable[[], Any], *, batch: bool = False) -> Any:
        try:
            return typed(work)
        except sql.exc.Error as error:
            if not refused(error):
                raise
            refusal = error
        renewed = self._handing.renewed(has_not_run=started_nothing(refusal) and not batch)
        raise explained(refusal, self._target.name, renewed=renewed, batch=batch)


class PooledCursor(Proxy):
    """Stands for the connector's cursor.

    Attributes:
        cursor: The connector's own cursor.
    """

    _stands_for = "cursor"

    def __init__(self, owner: PooledConnection, cursor: Any) -> None:
        self._assigned = {}
        self._owner = owner
        self.cursor = cursor

    def __getattr__(self, name: str) -> Any:
        if name in BEGINNINGS:
            return functools.partial(self._begin, name)
        return super().__getattr__(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._call(self.cursor.close)

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.cursor)
        while (row := self._call(lambda: next(rows, None))) is not None:
            yield row

    @property
    def connection(self) -> PooledConnection:
        """The connection that made it (PEP 249)."""
        return self._owner

    def _begin(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = self._owner.begin(self.cursor, name, *args, **kwargs)
        return self if result is self.cursor else result

    def _call(self, work: Callable[[], Any]) -> Any:
        return self._owner._call(work)  # noqa: SLF001 - one of its two parts
