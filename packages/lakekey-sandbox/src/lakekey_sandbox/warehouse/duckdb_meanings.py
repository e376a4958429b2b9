"""Functions that DuckDB has as well, and answers with another value or another type than Spark."""

from collections.abc import Callable, Iterable

from sqlglot import exp

_Type = exp.DataType.Type
_INTEGERS = (_Type.TINYINT, _Type.SMALLINT, _Type.INT, _Type.BIGINT)
_FRACTIONS = (_Type.DECIMAL, _Type.FLOAT, _Type.DOUBLE)
# DuckDB counts these with 64 bits, Spark with 32.
_COUNTS = (
    exp.ArraySize, exp.BitLength, exp.DayOfMonth, exp.DayOfYear, exp.Hour, exp.Length, exp.Levenshtein, exp.Minute,
    exp.Month, exp.Quarter, exp.RegexpCount, exp.Second, exp.StrPosition, exp.UnixDate, exp.WeekOfYear, exp.Year,
)  # fmt: skip
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile)
_DATE_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY")
_UNITS = {"YYYY": "YEAR", "YY": "YEAR", "MON": "MONTH", "MM": "MONTH"}


def as_on_spark(tree: exp.Expression) -> exp.Expression:
    """Give functions the value and the type that they have on Spark, where the statement alone tells how.

    Args:
        tree: A parsed statement, its columns named.
    """
    return each(tree, _adapted)


def each(tree: exp.Expression, change: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    """Replace nodes from the innermost outward, so that what stands inside a replaced one is replaced, too.

    Args:
        tree: A parsed statement.
        change: Gives the node that takes the place of one, or the same.
    """
    for node in reversed(list(tree.walk())):
        changed = change(node)
        if changed is node:
            continue
        if node is tree:
            tree = changed
        else:
            node.replace(changed)
    return tree


def _adapted(node: exp.Expression) -> exp.Expression:
    for kinds, meaning in _MEANINGS:
        if isinstance(node, kinds):
            return meaning(node)
    return node


def _cast(node: exp.Expression, kind: str) -> exp.Expression:
    # A copy: the node itself is about to be replaced by what holds it.
    return exp.Cast(this=node.copy(), to=exp.DataType.build(kind))


def _int(node: exp.Expression) -> exp.Expression:
    return _cast(node, "INT")


def _bigint(node: exp.Expression) -> exp.Expression:
    return _cast(node, "BIGINT")


def _date(node: exp.Expression) -> exp.Expression:
    return _cast(node, "DATE")


def _is_date(node: exp.Expression) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return bool(node.to.this == _Type.DATE)
    return isinstance(node, exp.CurrentDate | exp.LastDay)


def _truncated(node: exp.Expression) -> exp.Expression:
    """``trunc(date, unit)``."""
    unit = node.args["unit"].name.upper()
    node.set("unit", exp.Literal.string(_UNITS.get(unit, unit)))
    return _date(node)


def _moved(node: exp.Expression) -> exp.Expression:
    """A date and an interval of whole days make a date."""
    for day, by in ((node.this, node.expression), (node.expression, node.this)):
        unit = by.args.get("unit") if isinstance(by, exp.Interval) else None
        if isinstance(unit, exp.Var) and unit.name.upper().removesuffix("S") in _DATE_UNITS and _is_date(day):
            return _date(node)
    return node


def _series(node: exp.Expression) -> exp.Expression:
    """A sequence of dates; one day apart, if nothing else is said."""
    if not _is_date(node.args["start"]):
        return node
    if node.args.get("step") is None:
        node.set("step", exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY")))
    return _cast(node, "ARRAY<DATE>")


def _weekday(node: exp.Expression) -> exp.Expression:
    """Sunday is 1, and 0 on DuckDB."""
    return _int(exp.Add(this=node.copy(), expression=exp.Literal.number(1)))


def _extracted(node: exp.Expression) -> exp.Expression:
    part = node.this.name.upper()
    if part in ("DOW", "DAYOFWEEK"):
        return _weekday(node)
    return node if part in ("SECOND", "SECONDS", "EPOCH") else _int(node)


def _elapsed(node: exp.Expression) -> exp.Expression:
    """Whole units between two times; DuckDB's ``date_diff`` counts how often a unit begins."""
    unit = node.args["unit"].name.lower()
    if unit == "day":
        return node  # also ``datediff(end, start)``, which counts the days of a calendar
    times = [node.expression.copy(), node.this.copy()]
    return exp.Anonymous(this="date_sub", expressions=[exp.Literal.string(unit), *times])


def _whole(node: exp.Expression) -> exp.Expression:
    """A fraction loses its digits where it becomes an integer; DuckDB rounds it."""
    if isinstance(node, exp.Cast) and node.to.this in _INTEGERS and _is_fraction(node.this):
        node.set("this", exp.Anonymous(this="trunc", expressions=[node.this.copy()]))
    return node


def _is_fraction(node: exp.Expression) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return not node.is_string and not node.name.isdecimal()
    if isinstance(node, exp.Neg):
        return _is_fraction(node.this)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul):
        return _is_fraction(node.this) or _is_fraction(node.expression)
    return isinstance(node, exp.Div) or (isinstance(node, exp.Cast) and node.to.this in _FRACTIONS)


def _position(node: exp.Expression) -> exp.Expression:
    """0 where the array lacks the value, NULL where there is no array."""
    there = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    nowhere = exp.Case(ifs=[exp.If(this=there, true=exp.Literal.number(0))])
    return _bigint(exp.Coalesce(this=node.copy(), expressions=[nowhere]))


def _formatted(node: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="printf", expressions=[node.this.copy(), *(it.copy() for it in node.expressions)])


def _part(node: exp.Expression) -> exp.Expression:
    """``substring(text, 0, n)`` begins at the first character."""
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name == "0":
        node.set("start", exp.Literal.number(1))
    return node


def _ranked(node: exp.Expression) -> exp.Expression:
    return _int(node) if isinstance(node.this, _RANKS) else node


def _instant(node: exp.Expression) -> exp.Expression:
    """``to_utc_timestamp``: the time that a clock in the zone shows, as an instant."""
    shown = node.this.this if isinstance(node.this, exp.Cast) else node.this
    return exp.AtTimeZone(this=_cast(shown, "TIMESTAMPNTZ"), zone=node.args["zone"].copy())


def _plain_function(node: exp.Expression) -> exp.Expression:
    name, given = node.name.lower(), node.expressions
    if name == "weekday" and len(given) == 1:
        monday_is_1 = exp.DayOfWeekIso(this=given[0].copy())
        return _int(exp.Sub(this=monday_is_1, expression=exp.Literal.number(1)))
    if name == "date_part" and len(given) == 2 and given[0].is_string:
        return _extracted(exp.Extract(this=exp.var(given[0].name.upper()), expression=given[1].copy()))
    return _int(node) if name in ("cardinality", "json_array_length") else node


_Kinds = type[exp.Expression] | tuple[type[exp.Expression], ...]
_MEANINGS: Iterable[tuple[_Kinds, Callable[[exp.Expression], exp.Expression]]] = (
    (_COUNTS, _int),
    (exp.IntDiv, _bigint),
    ((exp.TsOrDsAdd, exp.DateFromUnixDate), _date),
    (exp.DateTrunc, _truncated),
    ((exp.Add, exp.Sub), _moved),
    (exp.GenerateSeries, _series),
    (exp.DayOfWeek, _weekday),
    (exp.Extract, _extracted),
    ((exp.DateDiff, exp.TimestampDiff), _elapsed),
    (exp.Cast, _whole),
    (exp.ArrayPosition, _position),
    (exp.Format, _formatted),
    (exp.Substring, _part),
    (exp.Window, _ranked),
    (exp.FromTimeZone, _instant),
    (exp.Anonymous, _plain_function),
)
