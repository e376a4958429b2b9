"""Databricks SQL for open-source Spark: the same text but for the few words that Spark does not know."""

import datetime as dt
import decimal
import re
from collections.abc import Callable, Sequence
from typing import Any

from lakekey_sandbox.warehouse.engine import Parameter
from lakekey_sandbox.warehouse.errors import SqlError
from lakekey_sandbox.warehouse.spark_tables import statements

# Spark calls its built-in catalog so; to a client of Databricks it is this one.
SPARK_CATALOG = "spark_catalog"
CATALOG = "hive_metastore"

# A text or a comment that does not end takes the rest, so that the rest is looked through once.
_WORD = re.compile(
    r"""'(?:\\.|[^'\\])*+'?|"(?:\\.|[^"\\])*+"?|--[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|`(?:[^`]|``)*+`?|[\w$]+|\s+|.""",
    re.DOTALL,
)
_ABOUT_CATALOGS = {"USE", "SET", "SHOW", "DESCRIBE", "DESC"}
# Types whose Python value becomes a literal of exactly that type; the others travel as text under a CAST.
_EXACT: dict[str, Callable[[str], Any]] = {
    "STRING": str,
    "INT": int,
    "DOUBLE": float,
    "BOOLEAN": lambda value: value.lower() == "true",
    "DATE": dt.date.fromisoformat,
}
_ELEMENTS: dict[str, Callable[[str], Any]] = {
    **_EXACT,
    **dict.fromkeys(["TINYINT", "SMALLINT", "BIGINT"], int),
    "FLOAT": float,
    "DECIMAL": decimal.Decimal,
    **dict.fromkeys(["TIMESTAMP", "TIMESTAMP_NTZ"], dt.datetime.fromisoformat),
}


def prepare(statement: str, parameters: Sequence[Parameter]) -> tuple[list[str], dict[str, Any] | list[Any] | None]:
    """What Spark runs for a statement, and the arguments of ``SparkSession.sql`` for the first of it.

    Only whole words outside of strings and comments are touched.

    Args:
        statement: Databricks SQL.
        parameters: Values for its markers.

    Raises:
        SqlError: A value is not of its type.
    """
    words: list[str] = _WORD.findall(statement)
    telling = [index for index, word in enumerate(words) if not word.isspace() and not _comment(word)]
    _name_catalog(words, telling)
    _cast_markers(words, telling, parameters)
    named = {it.name: _argument(it) for it in parameters if it.name is not None}
    unnamed = [_argument(it) for it in parameters if it.name is None]
    return statements(words), named or unnamed or None


def first_words(statement: str) -> list[str]:
    """The first two words of a statement, in upper case."""
    words = [word for word in _WORD.findall(statement) if not word.isspace() and not _comment(word)]
    return [word.upper() for word in words[:2]]


def _comment(word: str) -> bool:
    return word.startswith(("--", "/*"))


def _name_catalog(words: list[str], telling: list[int]) -> None:
    about = bool(telling) and words[telling[0]].upper() in _ABOUT_CATALOGS
    if about and [words[index].upper() for index in telling[:2]] == ["USE", "CATALOG"]:
        words[telling[0]] = "SET"
    last = next((index for index in reversed(telling) if words[index] != ";"), -1)
    for place, index in enumerate(telling):
        if words[index].strip("`").lower() != CATALOG:
            continue
        before = words[telling[place - 1]] if place else ""
        after = words[telling[place + 1]] if place + 1 < len(telling) else ""
        if before != "." and (after == "." or (about and index == last)):
            words[index] = SPARK_CATALOG


def _cast_markers(words: list[str], telling: list[int], parameters: Sequence[Parameter]) -> None:
    types = {it.name: it.type for it in parameters if it.name is not None}
    unnamed = iter([it.type for it in parameters if it.name is None])
    for place, index in enumerate(telling):
        if words[index] == "?":
            words[index] = _cast("?", next(unnamed, "STRING"))
        elif words[index] == ":" and place + 1 < len(telling) and telling[place + 1] == index + 1:
            name = words[index + 1].strip("`")
            if name in types:
                marker = f":{words[index + 1]}"
                words[index], words[index + 1] = _cast(marker, types[name]), ""


def _cast(marker: str, kind: str) -> str:
    plain = kind in _EXACT or kind in ("VOID", "ARRAY", "MAP")
    return marker if plain else f"CAST({marker} AS {kind})"


def _argument(parameter: Parameter) -> Any:
    if parameter.type in ("ARRAY", "MAP"):
        from pyspark.sql import functions

        make = functions.array if parameter.type == "ARRAY" else functions.create_map
        return make(*(functions.lit(_element(it)) for it in parameter.arguments))
    return _read(parameter, _EXACT.get(parameter.type, str))


def _element(parameter: Parameter) -> Any:
    if parameter.type in ("ARRAY", "MAP"):
        return _argument(parameter)
    return _read(parameter, _ELEMENTS.get(parameter.type.partition("(")[0], str))


def _read(parameter: Parameter, convert: Callable[[str], Any]) -> Any:
    if parameter.value is None or parameter.type == "VOID":
        return None
    try:
        return convert(parameter.value)
    except (ValueError, ArithmeticError) as error:
        message = f"The value of a parameter is no {parameter.type}."
        raise SqlError("CAST_INVALID_INPUT", message, "22018") from error
