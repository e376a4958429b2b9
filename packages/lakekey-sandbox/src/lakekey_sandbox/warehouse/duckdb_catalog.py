"""Catalogs, schemas and tables of DuckDB, by their names on Databricks."""

from typing import Any

import duckdb
import pyarrow as pa

from lakekey_sandbox.warehouse.arrow_types import spark_column
from lakekey_sandbox.warehouse.duckdb_names import DEFAULT_CATALOG, DEFAULT_SCHEMA, PREFIX, quoted
from lakekey_sandbox.warehouse.engine import Relation
from lakekey_sandbox.warehouse.errors import SqlError

# DuckDB puts these into every database.
_OWN_SCHEMAS = ("main", "information_schema", "pg_catalog")


class Catalog:
    """What one connection sees, and where it stands.

    Args:
        connection: The session's connection. Whoever calls makes sure that nothing else runs on it.

    Attributes:
        catalog: The current catalog.
        schema: The current schema.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.catalog = DEFAULT_CATALOG
        self.schema = DEFAULT_SCHEMA

    def _query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(statement, list(values)).fetchall()
        return found

    def use(self, catalog: str, schema: str) -> None:
        """Go to a schema.

        Raises:
            SqlError: There is no such catalog or schema.
        """
        if catalog.lower() not in (name.lower() for name in self.catalogs()):
            raise SqlError(
                "NO_SUCH_CATALOG_EXCEPTION",
                f"Catalog '{catalog}' was not found. Please verify the catalog name and then retry.",
                "42704",
            )
        if not any((catalog.lower(), schema.lower()) == (c.lower(), s.lower()) for c, s in self.schemas()):
            raise SqlError(
                "SCHEMA_NOT_FOUND",
                f"The schema `{catalog}`.`{schema}` cannot be found. Verify the spelling and correctness of the "
                "schema and catalog.",
                "42704",
            )
        self._connection.execute(f"USE {quoted(PREFIX + catalog)}.{quoted(schema)}")
        self.catalog, self.schema = catalog, schema

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
            empty = self._connection.sql(f"FROM {name} LIMIT 0").to_arrow_table()
        except duckdb.Error:
            return pa.schema([])
        required = self._required(parts, relation.name)
        fields = [
            spark_column(field, column)[0].with_nullable(field.name not in required)
            for field, column in zip(empty.schema, empty.columns, strict=True)
        ]
        return pa.schema(fields)

    def _required(self, parts: list[str], name: str) -> set[str]:
        found = self._query(
            "SELECT column_name FROM duckdb_columns() WHERE NOT is_nullable "
            "AND database_name = ? AND schema_name = ? AND table_name = ?",
            *parts,
            name,
        )
        return {column for (column,) in found}


def _ours(database: str, schema: str) -> bool:
    return database.startswith(PREFIX) and schema not in _OWN_SCHEMAS
