"""How often the connector sends a statement by itself, which it must not where the first one may have run.

The connector leaves it to urllib3 to send a call again that has broken off without an answer, also one that starts a
statement. The server may have run that one: an INSERT would write twice, and a refusal of the second one with 401 would
look as if nothing had run.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from databricks.sql.auth.retry import CommandType, DatabricksRetryPolicy
from databricks.sql.exc import Error, UnsafeToRetryError


class _Attempts:
    """The attempts at one statement.

    Attributes:
        repeatable: Whether a second one does no harm, as where the statement only reads.
        cursor: The connector's cursor that begins it; ``None`` if the connector makes one for it.
        failed: How many attempts that were sent the connector has followed by another one.
        lost: What the last attempt ended with, if it broke off and no other one may follow.
    """

    def __init__(self, cursor: Any, *, repeatable: bool) -> None:
        self.repeatable = repeatable
        self.cursor = cursor
        self.failed = 0
        self.lost: UnsafeToRetryError | None = None

    def explain(self, error: Error) -> None:
        """Add what the connector's error does not know to it, and to the error that it was raised from."""
        if isinstance(error.__cause__, Error):  # the connector's error of a commit has one
            self.explain(error.__cause__)
        if self.lost is not None and self.lost in error.args:
            error.__cause__ = self.lost
        elif self.failed and isinstance(error.context, dict) and "attempt" in error.context:
            attempts = str(error.context["attempt"]).partition("/")
            error.context["attempt"] = f"{self.failed + 1}/{attempts[2]}"


_current: ContextVar[_Attempts | None] = ContextVar("lakekey_sql_attempts", default=None)


@contextlib.contextmanager
def counted(cursor: Any = None, *, repeatable: bool) -> Iterator[None]:
    """Within it, a statement is begun, and the connector's attempts at it are counted.

    The number of attempts in the context of the connector's error is right then, and a statement whose answer is lost
    is not sent again unless it is repeatable.

    Args:
        cursor: The connector's cursor that begins it; ``None`` if the connector makes one for it.
        repeatable: Whether a second one does no harm, as where the statement only reads.
    """
    attempts = _Attempts(cursor, repeatable=repeatable)
    token = _current.set(attempts)
    try:
        yield
    except Error as error:
        attempts.explain(error)
        raise
    finally:
        _current.reset(token)


def is_ours(cursor: Any) -> bool:
    """Whether what a cursor of the connector begins now is the statement that is counted here, and no other one."""
    attempts = _current.get()
    return attempts is not None and (attempts.cursor is None or attempts.cursor is cursor)


class _Counting(DatabricksRetryPolicy):  # type: ignore[misc]  # the connector has no types of its own
    def increment(
        self, method: Any = None, url: Any = None, response: Any = None, error: Any = None, *rest: Any, **more: Any
    ) -> Any:
        """What urllib3 calls before it sends a call again, with the answer or the error that it got."""
        attempts = _current.get()
        was_sent = error is None or not self._is_connection_error(error)
        if attempts is not None and was_sent and self.command_type is CommandType.EXECUTE_STATEMENT:
            if error is not None and not attempts.repeatable:
                attempts.lost = UnsafeToRetryError(
                    "the connection broke off before the server had answered: the statement may have run, and was not "
                    f"sent again ({type(error).__name__})"
                )
                raise attempts.lost
            attempts.failed += 1
        return super().increment(method, url, response, error, *rest, **more)


def watched(connection: Any) -> Any:
    """The connector's connection, whose attempts are counted from here on if their policy is one that is known."""
    policy = getattr(getattr(getattr(connection, "session", None), "backend", None), "retry_policy", None)
    if type(policy) is DatabricksRetryPolicy:
        policy.__class__ = _Counting
    return connection
