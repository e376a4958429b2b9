"""Catalogs, schemas and tables of DuckDB, by their names on Databricks."""

from typing import Any

import duckdb
import pyarrow as pa

from lakekey_sandbox.warehouse.arrow_types import with_comment
from lakekey_sandbox.warehouse.duckdb_constraints import Constraints, Place
from lakekey_sandbox.warehouse.duckdb_names import DEFAULT_CATALOG, DEFAULT_SCHEMA, OWN_SCHEMA, PREFIX, quoted
from lakekey_sandbox.warehouse.duckdb_results import arrow_table
from lakekey_sandbox.warehouse.engine import Relation
from lakekey_sandbox.warehouse.errors import SqlError

# DuckDB puts these into every database.
_OWN_SCHEMAS = (OWN_SCHEMA, "information_schema", "pg_catalog")


class Catalog:
    """What one connection sees, and where it stands.

    Args:
        connection: The session's connection. The caller makes sure that nothing else runs on it.
        constraints: The keys of all tables.

    Attributes:
        catalog: The current catalog.
        schema: The current schema.
        constraints: The keys of all tables.
        missing: Whether the current schema does not exist (yet).
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, constraints: Constraints) -> None:
        self._connection = connection
        self.constraints = constraints
        self.catalog = DEFAULT_CATALOG
        self.schema = DEFAULT_SCHEMA
        self.missing = False

    def _query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(statement, list(values)).fetchall()
        return found

    def use(self, catalog: str, schema: str) -> None:
        """Go to a schema.

        Raises:
            SqlError: There is no such catalog or schema.
        """
        self._require_catalog(catalog)
        if not self._has_schema(catalog, schema):
            raise _no_schema(catalog, schema)
        self._connection.execute(f"USE {quoted(PREFIX + catalog)}.{quoted(schema)}")
        self.catalog, self.schema, self.missing = catalog, schema, False

    def begin_in(self, catalog: str, schema: str) -> None:
        """Start a session in a schema, which need not exist: a client may open the session and then create it.

        Raises:
            SqlError: There is no such catalog.
        """
        self._require_catalog(catalog)
        if self._has_schema(catalog, schema):
            self.use(catalog, schema)
        else:
            # Empty for every client: no name without a schema is found here.
            self._connection.execute(f"USE {quoted(PREFIX + catalog)}.{quoted(OWN_SCHEMA)}")
            self.catalog, self.schema, self.missing = catalog, schema, True

    def current(self) -> str:
        """The current schema in DuckDB's SQL."""
        return f"{quoted(PREFIX + self.catalog)}.{quoted(OWN_SCHEMA if self.missing else self.schema)}"

    def settle(self) -> None:
        """Go to the schema in which the session began, if it exists by now."""
        if self.missing and self._has_schema(self.catalog, self.schema):
            self.use(self.catalog, self.schema)

    def require_schema(self) -> None:
        """Refuse to put something into a schema that does not exist.

        Raises:
            SqlError: The current schema does not exist.
        """
        if self.missing:
            raise _no_schema(self.catalog, self.schema)

    def _require_catalog(self, catalog: str) -> None:
        if catalog.lower() not in (name.lower() for name in self.catalogs()):
            raise SqlError(
                "NO_SUCH_CATALOG_EXCEPTION",
                f"Catalog '{catalog}' was not found. Please verify the catalog name and then retry.",
                "42704",
            )

    def _has_schema(self, catalog: str, schema: str) -> bool:
        return any((catalog.lower(), schema.lower()) == (c.lower(), s.lower()) for c, s in self.schemas())

    def kind(self, place: Place) -> str:
        """``TABLE`` or ``VIEW``; empty if there is none at that place.

        Args:
            place: Catalog, schema and name; a temporary view has no catalog and no schema.
        """
        wanted = [part.lower() for part in place]
        found = (it for it in self.relations() if [p.lower() for p in (it.catalog, it.schema, it.name)] == wanted)
        relation = next(found, None)
        return relation.kind if relation is not None else ""

    def holds(self, place: Place) -> bool:
        """Whether there is a table or view at that place."""
        return bool(self.kind(place))

    def column_types(self, table: str) -> dict[str, str]:
        """The types of a table's columns, by their names in lower case; empty if there is no such table.

        Args:
            table: A name in DuckDB's SQL.
        """
        try:
            found = self._connection.execute(f"DESCRIBE FROM {table}").fetchall()
        except duckdb.Error:
            return {}
        return {name.lower(): kind for name, kind, *_ in found}

    def create_catalog(self, name: str) -> None:
        """Make a catalog with an empty schema ``default``."""
        if name.lower() in (known.lower() for known in self.catalogs()):
            message = f"Cannot create catalog `{name}` because it already exists."
            raise SqlError("CATALOG_ALREADY_EXISTS", message, "42P04")
        self._connection.execute(f"ATTACH ':memory:' AS {quoted(PREFIX + name)}")
        self._connection.execute(f"CREATE SCHEMA {quoted(PREFIX + name)}.{quoted(DEFAULT_SCHEMA)}")

    def drop_catalog(self, name: str) -> None:
        """Drop a catalog with all that is in it."""
        self._connection.execute(f"DETACH {quoted(PREFIX + name)}")

    def catalogs(self) -> list[str]:
        """The catalogs, sorted."""
        found = self._query("SELECT database_name FROM duckdb_databases() ORDER BY 1")
        return [name.removeprefix(PREFIX) for (name,) in found if name.startswith(PREFIX)]

    def schemas(self) -> list[tuple[str, str]]:
        """The schemas as (catalog, schema), sorted."""
        found = self._query("SELECT database_name, schema_name FROM duckdb_schemas() ORDER BY 1, 2")
        return [(catalog.removeprefix(PREFIX), schema) for catalog, schema in found if _ours(catalog, schema)]

    def relations(self) -> list[Relation]:
        """Tables and views, with the session's temporary views first."""
        found = self._query(
            "SELECT database_name, schema_name, name, kind, comment, temporary FROM ("
            "SELECT database_name, schema_name, table_name AS name, 'TABLE' AS kind, comment, temporary "
            "FROM duckdb_tables() WHERE NOT internal UNION ALL "
            "SELECT database_name, schema_name, view_name, 'VIEW', comment, temporary "
            "FROM duckdb_views() WHERE NOT internal) ORDER BY temporary DESC, 1, 2, 3"
        )
        return [
            Relation("", "", name, kind, comment or "")
            if temporary
            else Relation(catalog.removeprefix(PREFIX), schema, name, kind, comment or "")
            for catalog, schema, name, kind, comment, temporary in found
            if temporary or _ours(catalog, schema)
        ]

    def columns(self, relation: Relation) -> pa.Schema:
        """The columns of a table or view; those of a view that no longer works are none."""
        parts = ["temp", "main"] if not relation.catalog else [PREFIX + relation.catalog, relation.schema]
        name = ".".join(quoted(part) for part in (*parts, relation.name))
        try:
            empty = arrow_table(self._connection.sql(f"FROM {name} LIMIT 0"))
        except duckdb.Error:
            return pa.schema([])
        required, comments = self._said_of_columns(parts, relation.name)
        return pa.schema(
            [
                with_comment(field, comments.get(field.name)).with_nullable(field.name not in required)
                for field in empty.schema
            ]
        )

    def _said_of_columns(self, parts: list[str], name: str) -> tuple[set[str], dict[str, str]]:
        found = self._query(
            "SELECT column_name, is_nullable, comment FROM duckdb_columns() "
            "WHERE database_name = ? AND schema_name = ? AND table_name = ?",
            *parts,
            name,
        )
        required = {column for column, nullable, _ in found if not nullable}
        return required, {column: comment for column, _, comment in found if comment is not None}

    def identities(self, place: Place, word: str) -> set[str]:
        """Columns of a table, in lower case, whose default is a sequence.

        Args:
            place: The table.
            word: How the sequence's name begins.
        """
        found = self._query(
            "SELECT column_name FROM duckdb_columns() WHERE contains(column_default, ?) "
            "AND lower(database_name) = ? AND lower(schema_name) = ? AND lower(table_name) = ?",
            word,
            *(part.lower() for part in (PREFIX + place[0], *place[1:])),
        )
        return {column.lower() for (column,) in found}


def _no_schema(catalog: str, schema: str) -> SqlError:
    return SqlError(
        "SCHEMA_NOT_FOUND",
        f"The schema `{catalog}`.`{schema}` cannot be found. Verify the spelling and correctness of the "
        "schema and catalog.",
        "42704",
    )


def _ours(database: str, schema: str) -> bool:
    return database.startswith(PREFIX) and schema not in _OWN_SCHEMAS
