"""What a statement can fail with, in the words of Databricks."""

from databricks.sql.thrift_api.TCLIService import ttypes


class SqlError(Exception):
    """A statement that failed, described as Databricks describes it.

    Args:
        condition: The error condition, such as ``TABLE_OR_VIEW_NOT_FOUND``.
        message: What happened, without the condition and the SQLSTATE.
        sqlstate: Five characters, such as ``42P01``.
        where: A place in the statement, such as ``line 1, pos 14``.
    """

    def __init__(self, condition: str, message: str, sqlstate: str, *, where: str | None = None) -> None:
        self.condition = condition
        self.sqlstate = sqlstate
        self._quoted = False
        place = f" ({where})" if where else ""
        super().__init__(f"[{condition}] {message} SQLSTATE: {sqlstate}{place}")

    def quoting(self, statement: str) -> "SqlError":
        """This error with the statement below it, as Spark shows syntax errors; others stay as they are.

        Args:
            statement: What the client sent.
        """
        if self.condition == "PARSE_SYNTAX_ERROR" and not self._quoted:
            self._quoted = True
            self.args = (f"{self}\n\n== SQL ==\n{statement}",)
        return self


def syntax_error(near: str, where: str | None = None) -> SqlError:
    """A statement that does not parse.

    Args:
        near: The text at which the parser gave up; empty at the end of the statement.
        where: A place in the statement.
    """
    culprit = f"'{near}'" if near else "end of input"
    return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near {culprit}.", "42601", where=where)


def unsupported(what: str) -> SqlError:
    """A statement that Databricks runs and the sandbox does not.

    Args:
        what: The kind of statement.
    """
    return SqlError("UNSUPPORTED_FEATURE", f"The sandbox's SQL warehouse does not support {what}.", "0A000")


def cancelled() -> SqlError:
    """A statement that was stopped."""
    return SqlError("OPERATION_CANCELED", "Operation was canceled.", "HY008")


class RequestRefused(Exception):
    """A Thrift request that is answered by an error status instead of a result.

    Args:
        message: What the client reads.
        code: A ``TStatusCode``.
        sqlstate: Five characters.
    """

    def __init__(self, message: str, *, code: int = ttypes.TStatusCode.ERROR_STATUS, sqlstate: str = "HY000") -> None:
        super().__init__(message)
        self.code = code
        self.sqlstate = sqlstate

    def status(self) -> ttypes.TStatus:
        """The Thrift status that carries this refusal."""
        return ttypes.TStatus(
            statusCode=self.code,
            sqlState=self.sqlstate,
            errorMessage=str(self),
            displayMessage=str(self),
        )
