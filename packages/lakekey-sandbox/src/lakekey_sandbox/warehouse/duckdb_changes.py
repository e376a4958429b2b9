"""Statements that change rows, and the counts that Databricks answers them with."""

import duckdb
import pyarrow as pa
from sqlglot import exp

from lakekey_sandbox.warehouse.databricks_sql import to_dialect
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_dates import stored
from lakekey_sandbox.warehouse.duckdb_identities import require_no_identity
from lakekey_sandbox.warehouse.engine import Result, rows
from lakekey_sandbox.warehouse.errors import unsupported


class Changes:
    """Inserts, updates, deletes and merges.

    Args:
        connection: The session's connection.
        catalog: What it sees.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    def run(self, tree: exp.Expression, *, inside: bool) -> Result:
        """Run a change.

        Args:
            tree: The statement, its names those of DuckDB.
            inside: Whether a transaction is open.

        Raises:
            SqlError: It gives a value to a column that makes its own.
            duckdb.Error: DuckDB refused it.
        """
        require_no_identity(
            tree, self._catalog, lambda query: self._connection.sql(to_dialect(query, "duckdb")).columns
        )
        if isinstance(tree, exp.Insert):
            self._complete(tree)
        if isinstance(tree, exp.Merge | exp.Update):
            _set_columns_by_their_names_alone(tree)
        if isinstance(tree, exp.Merge):
            return self._merge(tree)
        if isinstance(tree, exp.Insert) and tree.args.get("overwrite"):
            return self._overwrite(tree, inside=inside)
        if isinstance(tree, exp.TruncateTable):
            self._connection.execute(to_dialect(tree, "duckdb")).fetchall()
            return Result(rows({}))
        count = self._count(to_dialect(tree, "duckdb"))
        return _inserted(count) if isinstance(tree, exp.Insert) else _affected(count)

    def _complete(self, tree: exp.Insert) -> None:
        """Give texts that go into columns of dates and timestamps the parts that DuckDB wants."""
        source = tree.expression
        if source is None:
            raise unsupported("INSERT … DEFAULT VALUES: write VALUES (DEFAULT)")
        given = source.expressions if isinstance(source, exp.Values) else [source]
        texts = [
            (place, value)
            for row in given
            for place, value in enumerate(row.expressions if isinstance(row, exp.Tuple | exp.Select) else [row])
            if value.unalias().is_string
        ]
        if not texts:
            return
        target = tree.this
        table = target.this if isinstance(target, exp.Schema) else target
        types = self._catalog.column_types(to_dialect(table, "duckdb"))
        names = [it.name.lower() for it in target.expressions] if isinstance(target, exp.Schema) else list(types)
        for place, value in texts:
            if place < len(names):
                text = value.unalias()
                text.replace(exp.Literal.string(stored(text.name, types.get(names[place], ""))))

    def _count(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchall()[0][0])

    def _merge(self, tree: exp.Merge) -> Result:
        statement = f"{to_dialect(tree, 'duckdb')} RETURNING merge_action"
        actions = [action for (action,) in self._connection.execute(statement).fetchall()]
        counts = [actions.count(action) for action in ("UPDATE", "DELETE", "INSERT")]
        names = ("num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows")
        return Result(rows(dict.fromkeys(names, pa.int64()), [(len(actions), *counts)]), len(actions))

    def _overwrite(self, tree: exp.Insert, *, inside: bool) -> Result:
        tree.set("overwrite", None)
        emptied = exp.Delete(this=(tree.this.this if isinstance(tree.this, exp.Schema) else tree.this).copy())
        statements = to_dialect(emptied, "duckdb"), to_dialect(tree, "duckdb")
        if inside:
            return _inserted([self._count(statement) for statement in statements][-1])
        self._connection.execute("BEGIN TRANSACTION")
        try:
            count = [self._count(statement) for statement in statements][-1]
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        return _inserted(count)


def _set_columns_by_their_names_alone(tree: exp.Merge | exp.Update) -> None:
    """``SET target.column = …`` and ``INSERT (target.column)`` as DuckDB wants them: without the target's name."""
    changes = [it.args.get("then") for it in tree.args["whens"].expressions] if isinstance(tree, exp.Merge) else [tree]
    written: list[exp.Expression] = []
    for change in changes:
        if isinstance(change, exp.Update):
            written += [assignment.this for assignment in change.expressions]
        elif isinstance(change, exp.Insert) and isinstance(change.this, exp.Tuple):
            written += change.this.expressions
    target = tree.this.alias_or_name.lower()
    for column in written:
        # Another name is that of a struct, whose field DuckDB cannot set.
        if isinstance(column, exp.Column) and column.table.lower() == target and not column.db:
            column.set("table", None)


def _inserted(count: int) -> Result:
    names = ("num_affected_rows", "num_inserted_rows")
    return Result(rows(dict.fromkeys(names, pa.int64()), [(count, count)]), count)


def _affected(count: int) -> Result:
    return Result(rows({"num_affected_rows": pa.int64()}, [(count,)]), count)
