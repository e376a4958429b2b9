"""What sqlglot leaves as it is, and DuckDB means otherwise or not at all."""

import re
from collections.abc import Callable

from sqlglot import exp

from lakekey_sandbox.warehouse.duckdb_dates import complete, macro_of
from lakekey_sandbox.warehouse.duckdb_functions import call
from lakekey_sandbox.warehouse.duckdb_meanings import as_on_spark, each
from lakekey_sandbox.warehouse.duckdb_names import PREFIX
from lakekey_sandbox.warehouse.errors import syntax_error, unsupported

USER_VARIABLE = "lakekey_user"

_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def adapt(tree: exp.Expression, *, ansi: bool = True, schema: str | None = None) -> exp.Expression:
    """Give a statement the meaning on DuckDB that it has on Databricks.

    What DuckDB would answer about itself becomes the session's own answer. It stays an expression, so that a
    view asks for its reader and not for its author.

    Args:
        tree: A parsed statement.
        ansi: A cast or a division that fails is an error; else it is NULL.
        schema: The current schema, if DuckDB stands elsewhere because there is no such schema.
    """

    def adapted(node: exp.Expression) -> exp.Expression:
        if schema is not None and isinstance(node, exp.CurrentDatabase | exp.CurrentSchema):
            return exp.Literal.string(schema)
        for kind, adaptation in _ADAPTATIONS.items():
            if isinstance(node, kind):
                return adaptation(node)
        return node

    tree = as_on_spark(tree)
    if not ansi:
        tree = each(tree, _lenient)
    return each(tree, adapted)


def _lenient(node: exp.Expression) -> exp.Expression:
    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.to)
    if isinstance(node, exp.Div):
        node.set("expression", exp.Nullif(this=node.expression, expression=exp.Literal.number(0)))
    return node


def _user(_: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="getvariable", expressions=[exp.Literal.string(USER_VARIABLE)])


def _schema(_: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="current_schema")


def _catalog(_: exp.Expression) -> exp.Expression:
    database = exp.Anonymous(this="current_database")
    return exp.Anonymous(this="substr", expressions=[database, exp.Literal.number(len(PREFIX) + 1)])


def _unknown_function(node: exp.Expression) -> exp.Expression:
    name = "" if node.expressions else node.name.lower()
    if name == "user":
        return _user(node)
    return exp.Literal.string("sandbox") if name == "current_metastore" else node


def _cast(node: exp.Expression) -> exp.Expression:
    kind = node.args["to"].this
    if kind == exp.DataType.Type.NULL:
        # DuckDB has no name for the type VOID.
        return exp.Null()
    if kind == exp.DataType.Type.TEXT and isinstance(node.this, exp.JSONExtract):
        return exp.JSONExtractScalar(this=_json(node.this.this), expression=node.this.expression)
    if kind == exp.DataType.Type.TIMESTAMP and not isinstance(node.parent, exp.AtTimeZone):
        # The function TIMESTAMP, which means the type TIMESTAMP: that of instants.
        node.args["to"].set("this", exp.DataType.Type.TIMESTAMPTZ)
    macro = macro_of(node) if isinstance(node, exp.Cast) else None
    if macro is None:
        return node
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        node.this.replace(exp.Literal.string(complete(node.this.name, node.args["to"].this)))
        return node
    return call(macro, node.this)


def _json(node: exp.Expression) -> exp.Expression:
    return exp.cast(node, exp.DataType.Type.JSON)


def _parse_json(node: exp.Expression) -> exp.Expression:
    """A VARIANT, as on Databricks; DuckDB would leave it text of the type JSON."""
    cast = exp.TryCast if node.args.get("safe") else exp.Cast
    return exp.cast(cast(this=node.this, to=exp.DataType.build("JSON")), exp.DataType.Type.VARIANT)


def _extract(node: exp.Expression) -> exp.Expression:
    """``value:path``, of text and of a VARIANT."""
    if not (isinstance(node.this, exp.Cast) and node.this.to.this == exp.DataType.Type.JSON):
        node.set("this", _json(node.this))
    return node


def _range(node: exp.Expression) -> exp.Expression:
    """``range(n)`` has the column ``id`` on Spark, and ``range`` on DuckDB."""
    if isinstance(node.this, exp.Anonymous) and node.this.name.lower() == "range":
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier("range"))
        if not alias.args.get("columns"):
            alias.set("columns", [exp.to_identifier("id")])
        node.set("alias", alias)
    return node


def _interval(node: exp.Expression) -> exp.Expression:
    """``INTERVAL '1 02:03:04' DAY TO SECOND``: each number gets its unit, as DuckDB wants it."""
    span = node.args.get("unit")
    if not isinstance(span, exp.IntervalSpan):
        return node
    first, last = (_UNITS.index(unit.name.upper()) for unit in (span.this, span.expression))
    written = node.this.name.strip()
    numbers = re.findall(r"\d+(?:\.\d+)?", written)
    if len(numbers) != last - first + 1:
        raise syntax_error(written)
    sign = "-" if written.startswith("-") else ""
    text = " ".join(f"{sign}{number} {unit}" for number, unit in zip(numbers, _UNITS[first:], strict=False))
    return exp.cast(exp.Literal.string(text), exp.DataType.Type.INTERVAL)


def _like(node: exp.Expression) -> exp.Expression:
    r"""``\`` takes ``_`` and ``%`` as they are unless something else is said; on DuckDB nothing does."""
    if isinstance(node.parent, exp.Escape) or isinstance(node.expression, exp.Any | exp.All):
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))


def _replaced(node: exp.Expression) -> exp.Expression:
    r"""A group is ``$1``, and ``\1`` on DuckDB."""
    text = node.args.get("replacement")
    if isinstance(text, exp.Literal):
        text.replace(exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", text.name)))
    return node


def _lateral(node: exp.Expression) -> exp.Expression:
    if node.args.get("outer"):
        raise unsupported("LATERAL VIEW OUTER, whose rows without elements DuckDB would leave out")
    return node


_ADAPTATIONS: dict[type[exp.Expression], Callable[[exp.Expression], exp.Expression]] = {
    exp.CurrentUser: _user,
    exp.SessionUser: _user,
    exp.CurrentCatalog: _catalog,
    exp.CurrentDatabase: _schema,
    exp.CurrentSchema: _schema,
    exp.Anonymous: _unknown_function,
    exp.Table: _range,
    exp.Cast: _cast,
    exp.Interval: _interval,
    exp.ParseJSON: _parse_json,
    exp.JSONExtract: _extract,
    exp.Like: _like,
    exp.ILike: _like,
    exp.RegexpReplace: _replaced,
    exp.Lateral: _lateral,
}
