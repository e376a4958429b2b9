"""DuckDB's errors in the words of Databricks."""

import re
from collections.abc import Callable

import duckdb

from lakekey_sandbox.warehouse.duckdb_names import PREFIX
from lakekey_sandbox.warehouse.errors import SqlError

_HINT = "Verify the spelling and correctness of the schema and catalog."


def _missing_relation(name: str) -> SqlError:
    return SqlError("TABLE_OR_VIEW_NOT_FOUND", f"The table or view {name} cannot be found. {_HINT}", "42P01")


def _missing_schema(name: str) -> SqlError:
    return SqlError("SCHEMA_NOT_FOUND", f"The schema {name} cannot be found. {_HINT}", "42704")


def _missing_column(name: str) -> SqlError:
    message = f"A column, variable, or function parameter with name {name} cannot be resolved."
    return SqlError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", message, "42703")


def _missing_function(name: str) -> SqlError:
    return SqlError("UNRESOLVED_ROUTINE", f"Cannot resolve routine {name} on search path.", "42883")


def _existing_relation(name: str) -> SqlError:
    message = f"Cannot create table or view {name} because it already exists."
    return SqlError("TABLE_OR_VIEW_ALREADY_EXISTS", message, "42P07")


def _existing_schema(name: str) -> SqlError:
    message = f"Cannot create schema {name} because it already exists."
    return SqlError("SCHEMA_ALREADY_EXISTS", message, "42P06")


def _filled_schema(name: str) -> SqlError:
    message = f"Cannot drop a schema {name} because it contains objects. Use DROP SCHEMA ... CASCADE."
    return SqlError("SCHEMA_NOT_EMPTY", message, "2BP01")


def _matched_twice(_: str) -> SqlError:
    message = "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row."
    return SqlError("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", message, "21506")


# Told apart by their text: DuckDB's exception classes name the phase, not the condition.
_BY_TEXT: list[tuple[re.Pattern[str], Callable[[str], SqlError]]] = [
    (re.compile(r'(?:Table|View) with name "?([^"]+?)"? already exists'), _existing_relation),
    (re.compile(r'Schema with name "?([^"]+?)"? already exists'), _existing_schema),
    (re.compile(r'(?:Table|View) with name "?(\S+?)"? does not exist'), _missing_relation),
    (re.compile(r'Schema with name "?(\S+?)"? does not exist'), _missing_schema),
    (re.compile(r'Catalog "(\S+?)" does not exist'), _missing_relation),
    (re.compile(r'(?:Table|Scalar|Aggregate|Macro)? ?Function with name "?(\S+?)"? does not exist'), _missing_function),
    (re.compile(r'Referenced (?:column|table) "([^"]+)" (?:was )?not found'), _missing_column),
    (re.compile(r'does not have a column (?:named|with name) "([^"]+)"'), _missing_column),
    (re.compile(r'Cannot drop entry "([^"]+)" because there are entries that depend on it'), _filled_schema),
    (re.compile(r"(MERGE INTO) command cannot affect the same target row more than once"), _matched_twice),
]


def translate(error: duckdb.Error) -> SqlError:
    """The error that Databricks would raise.

    Args:
        error: What DuckDB raised.
    """
    text = str(error).replace(PREFIX, "")
    for pattern, make in _BY_TEXT:
        if found := pattern.search(text):
            return make(".".join(f"`{part}`" for part in found[1].split(".")))
    message = text.split("\n", 1)[0].split(": ", 1)[-1].rstrip(".") + "."
    for kind, condition, sqlstate in _by_class(text):
        if isinstance(error, kind):
            return SqlError(condition, message, sqlstate)
    return SqlError("INTERNAL_ERROR", message, "XX000")


def _by_class(text: str) -> list[tuple[type[duckdb.Error], str, str]]:
    zero = "division by zero" in text.lower()
    grouping = "GROUP BY" in text
    ambiguous = "Ambiguous reference" in text
    binder = ("MISSING_AGGREGATION", "42803") if grouping else ("DATATYPE_MISMATCH", "42K09")
    binder = ("AMBIGUOUS_REFERENCE", "42704") if ambiguous else binder
    invalid = ("DIVIDE_BY_ZERO", "22012") if zero else ("INVALID_PARAMETER_VALUE", "22023")
    return [
        (duckdb.InterruptException, "OPERATION_CANCELED", "HY008"),
        (duckdb.ParserException, "PARSE_SYNTAX_ERROR", "42601"),
        (duckdb.BinderException, *binder),
        (duckdb.CatalogException, "UNRESOLVED_OBJECT", "42704"),
        (duckdb.ConversionException, "CAST_INVALID_INPUT", "22018"),
        (duckdb.OutOfRangeException, "ARITHMETIC_OVERFLOW", "22003"),
        (duckdb.ConstraintException, "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "23001"),
        (duckdb.TransactionException, "DELTA_CONCURRENT_WRITE", "2D521"),
        (duckdb.InvalidInputException, *invalid),
        (duckdb.PermissionException, "INSUFFICIENT_PERMISSIONS", "42501"),
        (duckdb.NotImplementedException, "UNSUPPORTED_FEATURE", "0A000"),
    ]
