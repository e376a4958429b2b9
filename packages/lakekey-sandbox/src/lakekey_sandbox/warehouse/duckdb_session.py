"""One session on DuckDB."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from sqlglot import exp

from lakekey_sandbox.warehouse.arrow_types import spark_column
from lakekey_sandbox.warehouse.databricks_sql import bind, parse, to_dialect
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_commands import command
from lakekey_sandbox.warehouse.duckdb_dialect import adapt
from lakekey_sandbox.warehouse.duckdb_errors import translate
from lakekey_sandbox.warehouse.duckdb_names import qualify
from lakekey_sandbox.warehouse.engine import Parameter, Relation, Result, Ticket, rows
from lakekey_sandbox.warehouse.errors import SqlError, cancelled, unsupported

_DML = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.TruncateTable
_DDL = exp.Create | exp.Drop | exp.Alter | exp.Comment
_TRANSACTION = exp.Transaction | exp.Commit | exp.Rollback
_KEPT_PROPERTIES = (exp.TemporaryProperty, exp.LikeProperty)
# Writers of one table that meet in DuckDB fail at once where Delta would let one wait for the other.
_CONFLICT_ATTEMPTS = 20
_CONFLICT_PAUSE = 0.01
_T = TypeVar("_T")


class DuckDBSession:
    """A connection of its own: temporary views, current catalog and schema, settings.

    A connection runs one statement at a time; those that come meanwhile wait.

    Args:
        connection: The connection, which the session closes.
        catalog: What the connection sees.
        configuration: The settings that the client sent.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, configuration: dict[str, str]) -> None:
        self._connection = connection
        self._catalog = catalog
        self._configuration = configuration
        self._turn = threading.Lock()
        self._ticket_lock = threading.Lock()
        self._ticket: Ticket | None = None

    def execute(self, statement: str, parameters: Sequence[Parameter], ticket: Ticket) -> Result:
        """Run one statement: see ``EngineSession.execute``."""

        def run() -> Result:
            with self._ticket_lock:
                self._ticket = ticket
            try:
                # Looked at after the ticket is in place: whoever cancels from now on finds it, and interrupts.
                if ticket.cancelled:
                    raise cancelled()
                return self._execute(statement, parameters)
            finally:
                with self._ticket_lock:
                    self._ticket = None

        return self._in_turn(run)

    def _in_turn(self, run: Callable[[], _T]) -> _T:
        with self._turn:
            try:
                return run()
            except duckdb.Error as error:
                raise translate(error) from error

    def interrupt(self, ticket: Ticket) -> bool:
        """Stop a run: see ``EngineSession.interrupt``."""
        with self._ticket_lock:
            running = self._ticket is ticket
            if running:
                self._connection.interrupt()
        return running

    def _execute(self, statement: str, parameters: Sequence[Parameter]) -> Result:
        answered = command(statement, self._catalog, self._configuration)
        if answered is not None:
            return Result(answered)
        tree = bind(parse(statement), parameters)
        tree = qualify(adapt(tree), self._catalog.catalog)
        if isinstance(tree, exp.Values):
            tree = _values(tree)
        if isinstance(tree, exp.Query):
            return Result(self._query(to_dialect(tree, "duckdb")))
        if isinstance(tree, _DML):
            return self._retrying(lambda: self._modify(tree))
        if isinstance(tree, _DDL):
            made = to_dialect(_plain_definition(tree), "duckdb")
            return self._retrying(lambda: self._define(made))
        if isinstance(tree, _TRANSACTION):
            return self._define(to_dialect(tree, "duckdb"))
        raise unsupported(f"{tree.key.upper()} statements")

    def _query(self, statement: str) -> pa.Table:
        found = self._connection.sql(statement)
        table = found.to_arrow_table()
        # DuckDB's sums of integers are 128 bits wide, where Spark's stay BIGINT.
        wide = [str(kind) == "HUGEINT" for kind in found.types]
        fields, columns = [], []
        for field, column, is_wide in zip(table.schema, table.columns, wide, strict=True):
            made, values = spark_column(field, column)
            if is_wide:
                made, values = _narrowed(made, values)
            fields.append(made)
            columns.append(values)
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    def _define(self, statement: str) -> Result:
        self._connection.execute(statement).fetchall()
        return Result(rows({}))

    def _modify(self, tree: exp.Expression) -> Result:
        if isinstance(tree, exp.Merge):
            return self._merge(tree)
        if isinstance(tree, exp.Insert) and tree.args.get("overwrite"):
            return self._overwrite(tree)
        if isinstance(tree, exp.TruncateTable):
            return self._define(to_dialect(tree, "duckdb"))
        count = self._count(to_dialect(tree, "duckdb"))
        return _inserted(count) if isinstance(tree, exp.Insert) else _affected(count)

    def _count(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchall()[0][0])

    def _merge(self, tree: exp.Merge) -> Result:
        statement = f"{to_dialect(tree, 'duckdb')} RETURNING merge_action"
        actions = [action for (action,) in self._connection.execute(statement).fetchall()]
        counts = [actions.count(action) for action in ("UPDATE", "DELETE", "INSERT")]
        names = ("num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows")
        return Result(rows(dict.fromkeys(names, pa.int64()), [(len(actions), *counts)]), len(actions))

    def _overwrite(self, tree: exp.Insert) -> Result:
        tree.set("overwrite", None)
        emptied = exp.Delete(this=(tree.this.this if isinstance(tree.this, exp.Schema) else tree.this).copy())
        self._connection.execute("BEGIN TRANSACTION")
        try:
            self._count(to_dialect(emptied, "duckdb"))
            count = self._count(to_dialect(tree, "duckdb"))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        return _inserted(count)

    def _retrying(self, run: Callable[[], Result]) -> Result:
        for attempt in range(1, _CONFLICT_ATTEMPTS):
            try:
                return run()
            except duckdb.TransactionException as error:
                if "conflict" not in str(error).lower():
                    raise
                time.sleep(_CONFLICT_PAUSE * attempt)
        return run()

    def catalogs(self) -> list[str]:
        """The catalogs, sorted."""
        return self._in_turn(self._catalog.catalogs)

    def schemas(self) -> list[tuple[str, str]]:
        """The schemas as (catalog, schema), sorted."""
        return self._in_turn(self._catalog.schemas)

    def relations(self) -> list[Relation]:
        """Tables and views, with the session's temporary views first."""
        return self._in_turn(self._catalog.relations)

    def columns(self, relation: Relation) -> pa.Schema:
        """The columns of a table or view."""
        return self._in_turn(lambda: self._catalog.columns(relation))

    def close(self) -> None:
        """Give up temporary views and settings, after the statement that may still run."""
        with self._turn:
            self._connection.close()


def _narrowed(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    try:
        return field.with_type(pa.int64()), column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SqlError("ARITHMETIC_OVERFLOW", "long overflow.", "22003") from error


def _inserted(count: int) -> Result:
    names = ("num_affected_rows", "num_inserted_rows")
    return Result(rows(dict.fromkeys(names, pa.int64()), [(count, count)]), count)


def _affected(count: int) -> Result:
    return Result(rows({"num_affected_rows": pa.int64()}, [(count,)]), count)


def _values(tree: exp.Values) -> exp.Expression:
    width = len(tree.expressions[0].expressions) if isinstance(tree.expressions[0], exp.Tuple) else 1
    columns = [exp.to_identifier(f"col{number}") for number in range(1, width + 1)]
    tree.set("alias", exp.TableAlias(this=exp.to_identifier("values"), columns=columns))
    return exp.select("*").from_(tree)


def _plain_definition(tree: exp.Expression) -> Any:
    """A definition without what DuckDB has no place for: formats, properties and comments on columns."""
    properties = tree.args.get("properties")
    if isinstance(properties, exp.Properties):
        properties.set("expressions", [it for it in properties.expressions if isinstance(it, _KEPT_PROPERTIES)])
    for constraint in list(tree.find_all(exp.ColumnConstraint)):
        if isinstance(constraint.kind, exp.CommentColumnConstraint):
            constraint.pop()
    for renamed in list(tree.find_all(exp.AlterRename)):
        # DuckDB renames within the schema, and wants no schema there.
        renamed.set("this", exp.Table(this=renamed.this.this))
    return tree
