"""Dates and timestamps as Spark reads them from text: parts may be missing, and offsets need no colon."""

import re

from sqlglot import exp

_Type = exp.DataType.Type
# Pattern and replacement, in the syntax that Python and DuckDB share, applied one after the other.
_PARTS = [
    (re.compile(r"^\s*(\d{4,})\s*$"), r"\1-01-01"),
    (re.compile(r"^\s*(\d{4,}-\d{1,2})\s*$"), r"\1-01"),
]
_DATE = [*_PARTS, (re.compile(r"^\s*(\d{4,}-\d{1,2}-\d{1,2})[T ].*$"), r"\1")]
_TIMESTAMP = [
    *_PARTS,
    (re.compile(r"^\s*(\d{4,}-\d{1,2}-\d{1,2})[T ](\d{1,2})\s*$"), r"\1 \2:00"),
    (re.compile(r"(:\d{1,2}(?:\.\d*)?)\s*([+-]\d{1,2}):?(\d{2})\s*$"), r"\1\2:\3"),
    (re.compile(r"(\.\d{6})\d+"), r"\1"),
]
_RULES = {_Type.DATE: _DATE, _Type.TIMESTAMPTZ: _TIMESTAMP, _Type.TIMESTAMP: _TIMESTAMP, _Type.TIMESTAMPNTZ: _TIMESTAMP}
_NAMES = {_Type.DATE: "date", _Type.TIMESTAMPTZ: "timestamptz", _Type.TIMESTAMP: "timestamp"}
_NAMES[_Type.TIMESTAMPNTZ] = _NAMES[_Type.TIMESTAMP]


def _macro(name: str, cast: str, kind: exp.DataType.Type) -> str:
    text = "CAST(x AS VARCHAR)"
    for pattern, replacement in _RULES[kind]:
        text = f"regexp_replace({text}, '{pattern.pattern}', '{replacement}')"
    target = _NAMES[kind]
    return (
        f"{name}_{target}(x) AS CASE WHEN typeof(x) = 'VARCHAR' "
        f"THEN {cast}({text} AS {target}) ELSE {cast}(x AS {target}) END"
    )


MACROS = [
    _macro(name, cast, kind)
    for name, cast in (("to", "CAST"), ("try_to", "TRY_CAST"))
    for kind in (_Type.DATE, _Type.TIMESTAMPTZ, _Type.TIMESTAMP)
]


def macro_of(node: exp.Cast) -> str | None:
    """The macro that does a cast of text, or ``None`` if the cast needs none.

    Args:
        node: A cast, or one that gives NULL where it fails.
    """
    target = _NAMES.get(node.to.this)
    if target is None or isinstance(node.this, exp.Null):
        return None
    return f"try_to_{target}" if isinstance(node, exp.TryCast) else f"to_{target}"


def stored(text: str, kind: str) -> str:
    """A text as it is stored in a column: with all parts if that holds dates or timestamps.

    Args:
        text: What the statement says.
        kind: The column's type in DuckDB's SQL.
    """
    rules = {"DATE": _DATE, "TIMESTAMP": _TIMESTAMP, "TIMESTAMP WITH TIME ZONE": _TIMESTAMP}.get(kind)
    return text if rules is None else _apply(text, rules)


def complete(text: str, kind: exp.DataType.Type) -> str:
    """A literal with all of its parts.

    Args:
        text: What the statement says, such as ``2024-01``.
        kind: The type that it becomes.
    """
    return _apply(text, _RULES[kind])


def _apply(text: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text
