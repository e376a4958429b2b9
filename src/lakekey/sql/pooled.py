"""A connector's connection as a pool holds it: typed errors, refusals explained, and nothing sent again.

A pool such as SQLAlchemy's has its own idea of a transaction and drops a connection that was refused, so nothing is
repeated here; see `lakekey.sql.connection` for the one that repeats.
"""

import functools
from typing import Any

from lakekey.configuration.target import Target
from lakekey.sql.arguments import TokenTracker
from lakekey.sql.attempts import counted, watched
from lakekey.sql.proxy import ConnectionProxy, CursorProxy
from lakekey.sql.statements import is_plain_read


class PooledConnection(ConnectionProxy):
    """Stands for the connector's connection.

    Args:
        connection: The connector's connection.
        tracker: What signs it in.
        target: Where to.

    Attributes:
        connection: The connector's own connection.
    """

    def __init__(self, connection: Any, tracker: TokenTracker, target: Target) -> None:
        self._assigned = {}
        self._tracker = tracker
        self._target = target
        self.connection = watched(connection)

    def cursor(self, *args: Any, **kwargs: Any) -> "PooledCursor":
        """A cursor, as the connector makes it."""
        return PooledCursor(self, self.connection.cursor(*args, **kwargs))

    def begin(self, cursor: "PooledCursor", name: str, *args: Any, **kwargs: Any) -> Any:
        """Begin a statement, or in ``executemany`` several."""
        call = functools.partial(getattr(cursor.cursor, name), *args, **kwargs)

        def work() -> Any:
            with counted(repeatable=is_plain_read(args[0] if args else kwargs.get("operation"))):
                return call()

        result = self._call(work, batch=name == "executemany")
        self._tracker.served()
        return result


class PooledCursor(CursorProxy):
    """Stands for the connector's cursor.

    Attributes:
        cursor: The connector's own cursor.
    """

    def __init__(self, owner: PooledConnection, cursor: Any) -> None:
        self._assigned = {}
        self._owner = owner
        self.cursor = cursor
