"""Transactions of several statements, as a warehouse has them: opened by the first statement, or by BEGIN.

A warehouse lets two transactions write to the same rows, and refuses the second one's commit; DuckDB refuses its
statement. So that statement is answered as if it had run, and the commit is refused.
"""

import re
from collections.abc import Callable

import duckdb
import pyarrow as pa
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from lakekey_sandbox.warehouse.duckdb_names import INFORMATION_SCHEMA
from lakekey_sandbox.warehouse.engine import Result, rows
from lakekey_sandbox.warehouse.errors import SqlError

_ALLOWED = exp.Query | exp.Values | exp.DML | exp.Merge
# Commands that a transaction may hold; every other one ends it in an error.
_ALLOWED_COMMANDS = re.compile(r"(SET|USE|SHOW COLUMNS|DESC(RIBE)?)\b(?!.* (EXTENDED|FORMATTED|SCHEMA|DATABASE)\b)")
_CONTROL = {"BEGIN", "START", "COMMIT", "ROLLBACK"}


class Transactions:
    """The transaction of one session.

    Args:
        connection: The session's connection.

    Attributes:
        active: Whether a transaction is open.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._autocommit = True
        self._failure: SqlError | None = None
        self.active = False

    def control(self, words: list[Token]) -> pa.Table | None:
        """Run a statement that begins or ends a transaction, or says when they begin.

        Args:
            words: The words of any statement.

        Returns:
            Its rows, or ``None`` if it is another statement.

        Raises:
            SqlError: There is no transaction to commit, or it cannot be committed, or one is open already.
        """
        said = [it.text.upper() for it in words if it.token_type != TokenType.SEMICOLON]
        if said[:2] == ["SET", "AUTOCOMMIT"] and len(said) in (2, 4):
            return self._set_autocommit(said[2:])
        if not said or said[0] not in _CONTROL or len(said) > 2:
            return None
        if said[0] == "COMMIT":
            self._commit()
        elif said[0] == "ROLLBACK":
            self._end("ROLLBACK")
        elif self.active:
            raise SqlError("TRANSACTION_ALREADY_ACTIVE", "A transaction is active already.", "25001")
        else:
            self._begin()
        return rows({})

    def _set_autocommit(self, value: list[str]) -> pa.Table:
        if value:
            if self.active:
                message = "AUTOCOMMIT cannot be changed while a transaction is active."
                raise SqlError("SET_AUTOCOMMIT_NOT_ALLOWED", message, "25001")
            if value[0] != "=" or value[1] not in ("TRUE", "FALSE"):
                raise SqlError("INVALID_PARAMETER_VALUE", "AUTOCOMMIT is TRUE or FALSE.", "22023")
            self._autocommit = value[1] == "TRUE"
        return rows({"value": pa.string()}, [(str(self._autocommit).lower(),)])

    def _begin(self) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        self.active, self._failure = True, None

    def _commit(self) -> None:
        if self._failure is not None:
            failure = self._failure
            self._end("ROLLBACK")
            raise failure
        if self.active:
            self._end("COMMIT")
        elif self._autocommit:
            raise SqlError("NO_ACTIVE_TRANSACTION", "There is no active transaction to commit.", "25P01")

    def _end(self, how: str) -> None:
        if self.active:
            self.active, self._failure = False, None
            self._connection.execute(how)

    def admit_command(self, words: list[Token]) -> None:
        """Refuse a command that a transaction may not hold.

        Args:
            words: The words of the command.

        Raises:
            SqlError: The transaction has failed, or may not hold it.
        """
        if self.active:
            self._require_health()
            if not _ALLOWED_COMMANDS.match(" ".join(it.text.upper() for it in words)):
                raise _not_supported(words[0].text.upper())

    def admit(self, tree: exp.Expression) -> None:
        """Open a transaction for a statement if it is time to, and refuse one that it may not hold.

        Args:
            tree: The parsed statement, with the names of the client.

        Raises:
            SqlError: The transaction has failed, or may not hold the statement.
        """
        allowed = isinstance(tree, _ALLOWED)
        if not self.active:
            # A definition is its own transaction where none is open.
            if allowed and not self._autocommit:
                self._begin()
            return
        self._require_health()
        if not allowed:
            raise _not_supported(tree.key.upper())
        if any(table.db.lower() == INFORMATION_SCHEMA for table in tree.find_all(exp.Table)):
            raise _not_supported(INFORMATION_SCHEMA)

    def _require_health(self) -> None:
        if self._failure is not None:
            message = f"The transaction failed with {self._failure.condition}, and can only be rolled back."
            raise SqlError("TRANSACTION_ABORTED", message, "25P02")

    def refuse_metadata(self) -> None:
        """Refuse a metadata call while a transaction is open; the transaction goes on.

        Raises:
            SqlError: A transaction is open.
        """
        if self.active:
            raise _not_supported("A metadata call")

    def fail(self, error: SqlError) -> None:
        """Note that a statement failed: the open transaction, if there is one, can only be rolled back.

        Args:
            error: How it failed.
        """
        if self.active and self._failure is None:
            self._failure = error

    def conflicting(
        self, tree: exp.Expression, error: SqlError, count: Callable[[exp.Expression], int]
    ) -> Result | None:
        """Answer a statement that met another transaction's rows; the commit will fail.

        Args:
            tree: The statement.
            error: The conflict.
            count: Counts the rows of a query, outside the transaction.

        Returns:
            What the statement would have answered, or ``None`` if it has to fail now.
        """
        if not self.active or not isinstance(tree, exp.Update | exp.Delete):
            return None
        table = tree.this.copy()
        query = exp.select(exp.Count(this=exp.Star())).from_(table)
        where = tree.args.get("where")
        affected = count(query.where(where.this.copy()) if where is not None else query)
        self.fail(error)
        return Result(rows({"num_affected_rows": pa.int64()}, [(affected,)]), affected)


def _not_supported(what: str) -> SqlError:
    return SqlError(
        "TRANSACTION_NOT_SUPPORTED.COMMAND",
        f"{what} is not supported within a multi-statement transaction. "
        "Only SELECT / INSERT / MERGE / UPDATE / DELETE / DESCRIBE TABLE are supported.",
        "0A000",
    )
