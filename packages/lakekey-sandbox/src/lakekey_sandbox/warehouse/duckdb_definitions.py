"""Definitions: what DuckDB has no words for is done beside it, such as comments, identity columns and keys."""

import secrets
from collections.abc import Iterator
from typing import Any

import duckdb
from sqlglot import exp

from lakekey_sandbox.warehouse.databricks_sql import to_dialect
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_constraints import Constraint, Place, column_names, declared
from lakekey_sandbox.warehouse.duckdb_identities import ALWAYS, SEQUENCE
from lakekey_sandbox.warehouse.duckdb_names import OWN_SCHEMA, PREFIX, quoted, text
from lakekey_sandbox.warehouse.errors import SqlError

_KEPT_PROPERTIES = (exp.TemporaryProperty, exp.LikeProperty)


class Definitions:
    """Creates, changes and drops what is in the catalogs.

    Args:
        connection: The session's connection.
        catalog: What it sees.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    def run(self, tree: Any) -> None:
        """Run a definition, whole or not at all.

        Args:
            tree: The statement, its names those of DuckDB.

        Raises:
            SqlError: A key refers to what is not there, or its name is taken.
            duckdb.Error: DuckDB refused it.
        """
        self._connection.execute("BEGIN TRANSACTION")
        try:
            self._run(tree)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _run(self, tree: Any) -> None:
        if tree.args.get("kind") == "DATABASE":
            _make_schema(tree)
        if isinstance(tree, exp.Create):
            self._create(tree)
        elif isinstance(tree, exp.Alter):
            self._alter(tree)
        elif isinstance(tree, exp.Comment):
            self._comment(tree)
        else:
            self._execute(to_dialect(tree, "duckdb"))

    def _execute(self, statement: str) -> None:
        self._connection.execute(statement).fetchall()

    def _create(self, tree: exp.Create) -> None:
        kind = str(tree.args.get("kind") or "").upper()
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        properties = tree.args.get("properties")
        said = properties.expressions if isinstance(properties, exp.Properties) else []
        temporary = any(isinstance(it, exp.TemporaryProperty) for it in said)
        described = [it.this.name for it in said if isinstance(it, exp.SchemaCommentProperty)]
        if isinstance(properties, exp.Properties):
            properties.set("expressions", [it for it in said if isinstance(it, _KEPT_PROPERTIES)])
        comments = _take_column_comments(tree)
        if kind not in ("TABLE", "VIEW"):
            self._execute(to_dialect(tree, "duckdb"))
            return
        place = self._place(table, temporary=temporary)
        constraints = tuple(self._take_constraints(tree, table, place))
        self._take_identities(tree, place)
        if tree.args.get("exists") and self._catalog.holds(place):
            return
        self._execute(to_dialect(tree, "duckdb"))
        for comment in described:
            self._execute(f"COMMENT ON {kind} {_written(place)} IS {text(comment)}")
        for column, comment in comments:
            self._execute(f"COMMENT ON COLUMN {_written(place)}.{quoted(column)} IS {text(comment)}")
        self._catalog.constraints.replace(place, constraints)

    def _place(self, table: exp.Table, *, temporary: bool = False) -> Place:
        """Where a table is, by the names of Databricks; a temporary one has no catalog and no schema."""
        if temporary:
            return ("", "", table.name)
        catalog = table.catalog.removeprefix(PREFIX) or self._catalog.catalog
        return (catalog, table.db or self._catalog.schema, table.name)

    def _take_identities(self, tree: exp.Create, place: Place) -> None:
        """Turn identity columns into columns whose default is the next value of a sequence."""
        for constraint in list(tree.find_all(exp.GeneratedAsIdentityColumnConstraint)):
            word = ALWAYS if constraint.this else SEQUENCE
            # In a schema of DuckDB's own: it is no part of what the client sees.
            name = ".".join(quoted(part) for part in (PREFIX + place[0], OWN_SCHEMA, f"{word}_{secrets.token_hex(8)}"))
            first, step = (constraint.args.get(part) for part in ("start", "increment"))
            begin, by = (it.sql() if it is not None else "1" for it in (first, step))
            self._execute(f"CREATE SEQUENCE {name} START {begin} INCREMENT {by} MINVALUE {-(2**63)}")
            following = exp.Anonymous(this="nextval", expressions=[exp.Literal.string(name)])
            constraint.parent.set("kind", exp.DefaultColumnConstraint(this=following))

    def _take_constraints(self, tree: exp.Create, table: exp.Table, place: Place) -> Iterator[Constraint]:
        if not isinstance(tree.this, exp.Schema):
            return
        columns = []
        for part in tree.this.expressions:
            found = declared(part, table.name)
            if found is None:
                columns.append(part)
                yield from self._take_column_constraints(part, table, place)
            else:
                yield self._constraint(*found, place)
        keys = {name.lower() for part in tree.this.expressions for name in _primary(part)}
        for column in columns:
            if column.name.lower() in keys and isinstance(column, exp.ColumnDef):
                # Databricks makes the columns of a primary key NOT NULL.
                column.append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        tree.this.set("expressions", columns)

    def _take_column_constraints(self, column: exp.Expression, table: exp.Table, place: Place) -> Iterator[Constraint]:
        for constraint in list(column.args.get("constraints") or ()):
            if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
                yield Constraint(constraint.name or f"{table.name}_pk", (column.name,))
                constraint.set("kind", exp.NotNullColumnConstraint())
            elif isinstance(constraint.kind, exp.Reference):
                name = constraint.name or f"{table.name}_fk"
                yield self._foreign_key(name, (column.name,), constraint.kind, place)
                constraint.pop()

    def _constraint(self, name: str, node: exp.Expression, place: Place) -> Constraint:
        if isinstance(node, exp.PrimaryKey):
            return Constraint(name, column_names(node))
        return self._foreign_key(name, column_names(node), node.args["reference"], place)

    def _foreign_key(self, name: str, columns: tuple[str, ...], reference: exp.Expression, own: Place) -> Constraint:
        target = reference.this
        table, listed = (target.this, column_names(target)) if isinstance(target, exp.Schema) else (target, ())
        place = self._place(table)
        if place != own and not self._catalog.holds(place):
            raise SqlError("TABLE_OR_VIEW_NOT_FOUND", f"The table or view `{table.name}` cannot be found.", "42P01")
        return Constraint(name, columns, place, listed or self._catalog.constraints.primary_key(place) or columns)

    def _alter(self, tree: exp.Alter) -> None:
        place = self._place(tree.this)
        plain = []
        for action in tree.args.get("actions") or []:
            if not self._alter_beside(action, place):
                plain.extend(_columns_added(action))
        for action in plain:
            comments = _take_column_comments(action)
            statement = tree.copy()
            statement.set("actions", [action])
            self._execute(to_dialect(statement, "duckdb"))
            for column, comment in comments:
                self._execute(f"COMMENT ON COLUMN {_written(place)}.{quoted(column)} IS {text(comment)}")
            if isinstance(action, exp.AlterRename):
                self._catalog.constraints.rename(place, action.this.name)

    def _alter_beside(self, action: exp.Expression, place: Place) -> bool:
        """Do what DuckDB does not; say whether it is done."""
        if isinstance(action, exp.AddConstraint):
            return self._add_keys(action, place)
        if isinstance(action, exp.Drop) and action.args.get("kind") == "CONSTRAINT":
            self._require(place)
            for name in action.args["tables"]:
                self._catalog.constraints.drop(place, name.name, lenient=bool(action.args.get("exists")))
            return True
        if isinstance(action, exp.AlterColumn) and action.args.get("comment") is not None:
            comment = text(action.args["comment"].name)
            self._execute(f"COMMENT ON COLUMN {_written(place)}.{quoted(action.name)} IS {comment}")
            return True
        if isinstance(action, exp.AlterSet):
            self._set_properties(action, place)
            return True
        if isinstance(action, exp.AlterRename):
            # DuckDB renames within the schema, and wants no schema there.
            action.set("this", exp.Table(this=action.this.this))
        return False

    def _add_keys(self, action: exp.AddConstraint, place: Place) -> bool:
        found = [key for it in action.expressions if (key := declared(it, place[2])) is not None]
        if len(found) < len(action.expressions):
            return False
        self._require(place)
        for name, content in found:
            self._catalog.constraints.add(place, self._constraint(name, content, place))
        return True

    def _set_properties(self, action: exp.AlterSet, place: Place) -> None:
        self._require(place)
        for pair in action.find_all(exp.Property):
            if pair.name.lower() == "comment":
                self._describe(place, text(pair.args["value"].name))

    def _require(self, place: Place) -> None:
        if not self._catalog.holds(place):
            raise SqlError("TABLE_OR_VIEW_NOT_FOUND", f"The table or view `{place[2]}` cannot be found.", "42P01")

    def _comment(self, tree: exp.Comment) -> None:
        kind = str(tree.args["kind"]).upper()
        value = "NULL" if isinstance(tree.expression, exp.Null) else text(tree.expression.name)
        if kind in ("TABLE", "VIEW"):
            self._describe(self._place(tree.this), value)
        elif kind == "COLUMN":
            column = tree.this
            table = exp.Table(
                this=column.args.get("table"), db=column.args.get("db"), catalog=column.args.get("catalog")
            )
            self._execute(f"COMMENT ON COLUMN {_written(self._place(table))}.{quoted(column.name)} IS {value}")
        # Comments on catalogs and schemas have no place where a client could read them.

    def _describe(self, place: Place, comment: str) -> None:
        self._require(place)
        kind = self._catalog.kind(place)
        self._execute(f"COMMENT ON {kind} {_written(place)} IS {comment}")


def _primary(part: exp.Expression) -> tuple[str, ...]:
    found = declared(part, "")
    return column_names(found[1]) if found is not None and isinstance(found[1], exp.PrimaryKey) else ()


def _make_schema(tree: exp.Expression) -> None:
    """Read ``DATABASE`` as ``SCHEMA``, which is what it means on Databricks."""
    tree.set("kind", "SCHEMA")
    tables = [tree.this] if isinstance(tree, exp.Create) else tree.args.get("tables") or []
    for table in tables:
        if isinstance(table, exp.Table) and table.this is not None:
            parent = table.args.get("db")
            table.set("catalog", parent and exp.to_identifier(PREFIX + parent.name, quoted=True))
            table.set("db", table.this)
            table.set("this", None)


def _take_column_comments(tree: exp.Expression) -> list[tuple[str, str]]:
    found = []
    for constraint in list(tree.find_all(exp.ColumnConstraint)):
        if isinstance(constraint.kind, exp.CommentColumnConstraint):
            column = constraint.find_ancestor(exp.ColumnDef)
            found.append((column.name if column is not None else "", constraint.kind.this.name))
            constraint.pop()
    return [(column, comment) for column, comment in found if column]


def _columns_added(action: exp.Expression) -> list[exp.Expression]:
    """``ADD COLUMNS (a INT, b INT)`` as one action for each column."""
    return list(action.expressions) if isinstance(action, exp.Schema) else [action]


def _written(place: Place) -> str:
    parts = (PREFIX + place[0], place[1], place[2]) if place[0] else place[2:]
    return ".".join(quoted(part) for part in parts)
