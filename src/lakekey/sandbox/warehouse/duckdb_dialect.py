"""What sqlglot leaves as it is, and DuckDB means otherwise or not at all."""

import re

from sqlglot import exp

from lakekey.sandbox.warehouse.duckdb_names import PREFIX
from lakekey.sandbox.warehouse.errors import syntax_error

USER_VARIABLE = "lakekey_user"

_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def adapt(tree: exp.Expression) -> exp.Expression:
    """Give a statement the meaning on DuckDB that it has on Databricks.

    What DuckDB would answer about itself becomes the session's own answer. It stays an expression, so that a
    view asks for its reader and not for its author.

    Args:
        tree: A parsed statement.
    """

    def adapted(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.CurrentUser | exp.SessionUser):
            return _user()
        if isinstance(node, exp.CurrentCatalog):
            return _catalog()
        if isinstance(node, exp.CurrentDatabase | exp.CurrentSchema):
            return exp.Anonymous(this="current_schema")
        if isinstance(node, exp.Anonymous) and not node.expressions:
            return _own(node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Anonymous):
            return _range(node)
        if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.NULL:
            return exp.Null()
        if isinstance(node, exp.Interval) and isinstance(node.args.get("unit"), exp.IntervalSpan):
            return _interval(node)
        return node

    return tree.transform(adapted, copy=False)


def _user() -> exp.Expression:
    return exp.Anonymous(this="getvariable", expressions=[exp.Literal.string(USER_VARIABLE)])


def _catalog() -> exp.Expression:
    database = exp.Anonymous(this="current_database")
    return exp.Anonymous(this="substr", expressions=[database, exp.Literal.number(len(PREFIX) + 1)])


def _own(node: exp.Anonymous) -> exp.Expression:
    name = node.name.lower()
    if name == "user":
        return _user()
    return exp.Literal.string("sandbox") if name == "current_metastore" else node


def _range(node: exp.Table) -> exp.Table:
    """``range(n)`` has the column ``id`` on Spark, and ``range`` on DuckDB."""
    if node.this.name.lower() == "range":
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("range"))
        if not alias.args.get("columns"):
            alias.set("columns", [exp.to_identifier("id")])
        node.set("alias", alias)
    return node


def _interval(node: exp.Interval) -> exp.Expression:
    """``INTERVAL '1 02:03:04' DAY TO SECOND``: each number gets its unit, as DuckDB wants it."""
    span = node.args["unit"]
    first, last = (_UNITS.index(unit.name.upper()) for unit in (span.this, span.expression))
    written = node.this.name.strip()
    numbers = re.findall(r"\d+(?:\.\d+)?", written)
    if len(numbers) != last - first + 1:
        raise syntax_error(written)
    sign = "-" if written.startswith("-") else ""
    text = " ".join(f"{sign}{number} {unit}" for number, unit in zip(numbers, _UNITS[first:], strict=False))
    return exp.cast(exp.Literal.string(text), exp.DataType.Type.INTERVAL)
