"""One session on DuckDB."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import duckdb
import pyarrow as pa
from sqlglot import exp
from sqlglot.tokens import Token

from lakekey_sandbox.warehouse.databricks_sql import bind, parse, to_dialect, tokens
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_changes import Changes
from lakekey_sandbox.warehouse.duckdb_commands import command, describe_query, is_command
from lakekey_sandbox.warehouse.duckdb_decimals import divide
from lakekey_sandbox.warehouse.duckdb_definitions import Definitions
from lakekey_sandbox.warehouse.duckdb_dialect import adapt
from lakekey_sandbox.warehouse.duckdb_errors import translate
from lakekey_sandbox.warehouse.duckdb_names import qualify
from lakekey_sandbox.warehouse.duckdb_results import arrow_table
from lakekey_sandbox.warehouse.duckdb_settings import Settings
from lakekey_sandbox.warehouse.duckdb_transactions import Transactions
from lakekey_sandbox.warehouse.engine import Parameter, Relation, Result, Ticket, rows
from lakekey_sandbox.warehouse.errors import SqlError, cancelled, unsupported

_DML = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.TruncateTable
_DDL = exp.Create | exp.Drop | exp.Alter | exp.Comment
# Writers of one table that meet in DuckDB fail at once where Delta would let one wait for the other.
_NOT_THERE = (
    (exp.Version, "time travel (VERSION AS OF, TIMESTAMP AS OF)"),
    (exp.FromJson, "from_json: use parse_json"),
)
_CONFLICT_ATTEMPTS = 20
_CONFLICT_PAUSE = 0.01
_T = TypeVar("_T")


class DuckDBSession:
    """A connection of its own: temporary views, current catalog and schema, settings, a transaction.

    A connection runs one statement at a time; those that come meanwhile wait.

    Args:
        connection: The connection, which the session closes.
        catalog: What the connection sees.
        settings: The session's settings.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, settings: Settings) -> None:
        self._connection = connection
        self._catalog = catalog
        self._settings = settings
        self._transactions = Transactions(connection)
        self._definitions = Definitions(connection, catalog)
        self._changes = Changes(connection, catalog)
        self._turn = threading.Lock()
        self._ticket_lock = threading.Lock()
        self._ticket: Ticket | None = None

    def execute(self, statement: str, parameters: Sequence[Parameter], ticket: Ticket) -> Result:
        """Run one statement: see ``EngineSession.execute``."""

        def run() -> Result:
            self._catalog.settle()
            with self._ticket_lock:
                self._ticket = ticket
            try:
                # Looked at after the ticket is in place: a cancel from now on finds it, and interrupts.
                if ticket.cancelled:
                    raise cancelled()
                return self._execute(statement, parameters)
            except (duckdb.Error, SqlError) as error:
                failure = translate(error) if isinstance(error, duckdb.Error) else error
                raise failure.quoting(statement) from error
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
        words = tokens(statement)
        controlled = self._transactions.control(words)
        if controlled is not None:
            return Result(controlled)
        try:
            return self._answer(statement, words, parameters)
        except (duckdb.Error, SqlError) as error:
            self._transactions.fail(translate(error) if isinstance(error, duckdb.Error) else error)
            raise

    def _answer(self, statement: str, words: list[Token], parameters: Sequence[Parameter]) -> Result:
        if asked := _described(words, statement):
            tree = self._tree(asked, parameters)
            return Result(describe_query(arrow_table(self._connection.sql(_written(tree)).limit(0)).schema))
        if is_command(words):
            self._transactions.admit_command(words)
            return Result(command(statement, words, self._catalog, self._settings))
        return self._run(self._tree(statement, parameters), statement)

    def _tree(self, statement: str, parameters: Sequence[Parameter]) -> exp.Expression:
        """A statement as DuckDB has to run it."""
        tree = bind(parse(statement), parameters)
        for kind, what in _NOT_THERE:
            if tree.find(kind):
                raise unsupported(what)
        self._transactions.admit(tree)
        missing = self._catalog.missing
        if missing and isinstance(tree, _DML | _DDL) and not _placed(tree):
            self._catalog.require_schema()
        tree = adapt(tree, ansi=self._settings.ansi, schema=self._catalog.schema if missing else None)
        tree = qualify(tree, self._catalog.catalog)
        return divide(tree, lambda table: self._catalog.column_types(_name(table)))

    def _run(self, tree: exp.Expression, statement: str) -> Result:
        if isinstance(tree, exp.Query | exp.Values):
            return Result(arrow_table(self._connection.sql(_written(tree)), self._settings.time_zone))
        if isinstance(tree, _DML):
            try:
                return self._retrying(lambda: self._changes.run(tree.copy(), inside=self._transactions.active))
            except duckdb.TransactionException as error:
                answered = self._transactions.conflicting(tree, translate(error), self._count_outside)
                if answered is None:
                    raise
                return answered
        if isinstance(tree, _DDL):
            return self._retrying(lambda: self._define(tree.copy()))
        if isinstance(tree, exp.Command):
            raise unsupported(f"the statement {statement.strip()}")
        raise unsupported(f"{tree.key.upper()} statements")

    def _define(self, tree: exp.Expression) -> Result:
        self._definitions.run(tree)
        return Result(rows({}))

    def _count_outside(self, query: exp.Expression) -> int:
        with self._connection.cursor() as outside:
            # A new connection stands in DuckDB's own schema.
            outside.execute(f"USE {self._catalog.current()}")
            return int(outside.execute(to_dialect(query, "duckdb")).fetchall()[0][0])

    def _retrying(self, run: Callable[[], Result]) -> Result:
        for attempt in range(1, _CONFLICT_ATTEMPTS):
            try:
                return run()
            except duckdb.TransactionException as error:
                if self._transactions.active or "conflict" not in str(error).lower():
                    raise
                time.sleep(_CONFLICT_PAUSE * attempt)
        return run()

    def _metadata(self, run: Callable[[], _T]) -> _T:
        self._transactions.refuse_metadata()
        return self._in_turn(run)

    def catalogs(self) -> list[str]:
        """The catalogs, sorted."""
        return self._metadata(self._catalog.catalogs)

    def schemas(self) -> list[tuple[str, str]]:
        """The schemas as (catalog, schema), sorted."""
        return self._metadata(self._catalog.schemas)

    def relations(self) -> list[Relation]:
        """Tables and views, with the session's temporary views first."""
        return self._metadata(self._catalog.relations)

    def columns(self, relation: Relation) -> pa.Schema:
        """The columns of a table or view."""
        return self._metadata(lambda: self._catalog.columns(relation))

    def primary_key(self, relation: Relation) -> tuple[str, tuple[str, ...]] | None:
        """The name and the columns of a table's primary key."""
        keys = self._catalog.constraints.of((relation.catalog, relation.schema, relation.name))
        return next(((key.name, key.columns) for key in keys if key.referenced is None), None)

    def close(self) -> None:
        """Give up temporary views and settings, after the statement that may still run."""
        with self._turn:
            self._connection.close()


def _described(words: list[Token], statement: str) -> str:
    """The query of ``DESCRIBE [QUERY] query``; empty for another statement."""
    said = [it.text.upper() for it in words[:2]]
    if len(said) == 2 and said[0] in ("DESCRIBE", "DESC"):
        if said[1] == "QUERY":
            return statement[words[1].end + 1 :]
        if said[1] in ("SELECT", "WITH", "VALUES", "("):
            return statement[words[0].end + 1 :]
    return ""


def _placed(tree: exp.Expression) -> bool:
    """Whether a change or a definition says in which schema its table is, or makes a temporary one."""
    table = tree.find(exp.Table)
    return table is None or bool(table.db) or tree.find(exp.TemporaryProperty) is not None


def _name(table: exp.Table) -> str:
    plain = exp.Table(this=table.this, db=table.args.get("db"), catalog=table.args.get("catalog"))
    return to_dialect(plain, "duckdb")


def _written(tree: exp.Expression) -> str:
    return to_dialect(_values(tree) if isinstance(tree, exp.Values) else tree, "duckdb")


def _values(tree: exp.Values) -> exp.Expression:
    width = len(tree.expressions[0].expressions) if isinstance(tree.expressions[0], exp.Tuple) else 1
    columns = [exp.to_identifier(f"col{number}") for number in range(1, width + 1)]
    tree.set("alias", exp.TableAlias(this=exp.to_identifier("values"), columns=columns))
    return exp.select("*").from_(tree)
