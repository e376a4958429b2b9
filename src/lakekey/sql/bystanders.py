"""What a program begins on a session past our cursors: with the connector's own, or with a class of its own."""

import weakref
from collections.abc import Callable
from typing import Any

from databricks.sql.exc import InterfaceError

from lakekey.sql.attempts import is_ours
from lakekey.sql.statements import is_plain_read

# The methods of a backend that begin something for a cursor.
_STATEMENT = "execute_command"
_BEGINNINGS = (_STATEMENT, "get_catalogs", "get_schemas", "get_tables", "get_columns")

# One that begins something, or the end of the session: the first to write "by" has it. Then the "next" one is open. A
# lock would hold up a finalizer or a signal handler that begins something amid these steps.
_Turn = dict[str, Any]
_END = object()


class Bystanders:
    """The cursors that begin something on a session of the server, and are not ours.

    Each beginning takes a turn, after it can be seen, and so does the end of the session. So between a look at them and
    the end, none can begin: either it was there before, and the end does not come, or it is an error and is not sent.

    Args:
        connection: The connector's connection, which no program has had yet.

    Attributes:
        have_shaped: Whether one of them has begun what is not plainly a read. So it is taken to be where a later
            release of the connector does not let us see that.
    """

    def __init__(self, connection: Any) -> None:
        self._cursors: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._running: set[object] = set()
        self._turn: _Turn = {}
        backend = getattr(getattr(connection, "session", None), "backend", None)
        self.have_shaped = not all(hasattr(type(backend), name) for name in _BEGINNINGS)
        if not self.have_shaped:
            for name in _BEGINNINGS:
                setattr(backend, name, self._seen(weakref.ref(backend), name))

    def cursors(self) -> list[Any]:
        """Those that are still there, of which some may have a result."""
        # Of one look: code that interrupts it, such as a finalizer, may begin something.
        found = (reference() for reference in self._cursors.valuerefs())
        return [cursor for cursor in found if cursor is not None]

    def are_running(self) -> bool:
        """Whether one of them waits for the server to begin something, in another thread."""
        return bool(self._running)

    def next_turn(self) -> _Turn:
        """The turn that is open now; to be asked for before a look at what has begun."""
        turn = self._turn
        while "by" in turn:
            turn = turn.setdefault("next", {})
        return turn

    def end(self, turn: _Turn) -> bool:
        """End the session for them, unless one has begun something since this turn was the open one.

        Returns:
            Whether it has ended: from here on, what they begin is an error.
        """
        return turn.setdefault("by", _END) is _END

    def _take_turn(self, mark: object) -> None:
        turn = self._turn
        while (by := turn.setdefault("by", mark)) is not mark:
            if by is _END:
                raise InterfaceError("This session was replaced after its token was refused; nothing was sent")
            turn = turn.setdefault("next", {})
        self._turn = turn.setdefault("next", {})

    def _seen(self, backend: Callable[[], Any], name: str) -> Callable[..., Any]:
        # Without a strong reference to the backend: a cycle would keep what the program has given up.
        def begin(*args: Any, **kwargs: Any) -> Any:
            call = getattr(type(backend()), name)
            cursor = kwargs.get("cursor")
            if is_ours(cursor):
                return call(backend(), *args, **kwargs)
            if name == _STATEMENT and not is_plain_read(kwargs.get("operation")):
                self.have_shaped = True  # beforehand: a statement that fails may have had its effect
            if cursor is not None:
                self._cursors[id(cursor)] = cursor
            mark = object()
            self._running.add(mark)
            try:
                self._take_turn(mark)
                return call(backend(), *args, **kwargs)
            finally:
                self._running.discard(mark)

        return begin
