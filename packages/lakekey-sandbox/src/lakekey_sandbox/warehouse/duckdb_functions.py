"""Functions that Databricks has and DuckDB lacks: macros in a database of their own, for every session."""

import duckdb
from sqlglot import exp

from lakekey_sandbox.warehouse import duckdb_dates

DATABASE = "lakekey"

# The quotient of two decimals as text with s digits after the point, exact and rounded half up as in Spark. Decimals
# become whole numbers; the factor scales the first one so that the quotient counts units of 10^-s.
_DIVISION = [
    "unscaled(x) AS CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT)",
    (
        "rounded(n, d) AS CASE WHEN d = 0 THEN CAST(error('division by zero') AS HUGEINT) ELSE abs(n) // abs(d)"
        " + CASE WHEN abs(n) % abs(d) >= abs(d) - abs(n) % abs(d) THEN 1 ELSE 0 END END"
    ),
    "padded(t, s) AS lpad(t, CAST(greatest(s + 1, length(t)) AS INTEGER), '0')",
    "pointed(t, s) AS left(t, length(t) - s) || '.' || right(t, s)",
    (
        "quotient(n, d, s) AS CASE WHEN (n < 0) <> (d < 0) THEN '-' ELSE '' END || {here}.pointed("
        "{here}.padded(CAST({here}.rounded(n, d) AS VARCHAR), s), s)"
    ),
    "divide(a, b, factor, s) AS {here}.quotient({here}.unscaled(a) * CAST(factor AS HUGEINT), {here}.unscaled(b), s)",
]


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions, once for a database.

    Args:
        connection: Any connection to the database.
    """
    connection.execute(f"ATTACH ':memory:' AS {DATABASE}")
    here = f"{DATABASE}.main"
    for macro in (*duckdb_dates.MACROS, *(it.replace("{here}", here) for it in _DIVISION)):
        connection.execute(f"CREATE MACRO {here}.{macro}")


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """A call of one of the functions.

    Args:
        name: The function's name.
        arguments: Its arguments.
    """
    place = [exp.to_identifier(part, quoted=True) for part in (DATABASE, "main")]
    return exp.Dot.build([*place, exp.Anonymous(this=name, expressions=list(arguments))])
