"""Databricks' three-part names on DuckDB.

DuckDB reserves database names that are catalogs on Databricks (``main``), and reads ``a.b`` as either
database and table or schema and table. So catalogs carry a prefix, and schemas always get their catalog.
"""

from sqlglot import exp

PREFIX = "uc_"
DEFAULT_CATALOG = "main"
DEFAULT_SCHEMA = "default"
INFORMATION_SCHEMA = "information_schema"
# DuckDB puts this schema into every database; no client sees it.
OWN_SCHEMA = "main"
_CATALOG_COLUMNS = {"schemata": "catalog_name"}


def quoted(name: str) -> str:
    """A name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A value as a DuckDB string literal."""
    return "'" + value.replace("'", "''") + "'"


def qualify(tree: exp.Expression, catalog: str) -> exp.Expression:
    """Give every schema its catalog, and every catalog its name on DuckDB.

    Args:
        tree: A parsed statement.
        catalog: The session's current catalog.
    """

    def place(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and node.args.get("catalog"):
            node.set("catalog", _database(node.catalog))
        if not isinstance(node, exp.Table) or not node.db:
            return node
        if node.db.lower() == INFORMATION_SCHEMA:
            return _information_schema(node, node.catalog or catalog)
        node.set("catalog", _database(node.catalog or catalog))
        return node

    return tree.transform(place, copy=False)


def _database(catalog: str) -> exp.Identifier:
    return exp.to_identifier(PREFIX + catalog, quoted=True)


def _information_schema(node: exp.Table, catalog: str) -> exp.Expression:
    """DuckDB has one information schema for all databases: show the part of one catalog."""
    name = _CATALOG_COLUMNS.get(node.name.lower(), "table_catalog")
    source = exp.Table(this=exp.to_identifier(node.name), db=exp.to_identifier(INFORMATION_SCHEMA))
    column = exp.column(name)
    star = exp.Star(replace=[exp.alias_(exp.Literal.string(catalog), name)])
    rows = exp.select(star).from_(source).where(column.eq(exp.Literal.string(PREFIX + catalog)))
    return rows.subquery(node.alias_or_name)
