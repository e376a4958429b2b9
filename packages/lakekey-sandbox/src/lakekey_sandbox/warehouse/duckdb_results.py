"""What DuckDB found, as Arrow tables in the types that Spark knows."""

from typing import Any

import duckdb
import pyarrow as pa

from lakekey_sandbox.warehouse.arrow_types import VARIANT, in_time_zone, spark_column
from lakekey_sandbox.warehouse.errors import SqlError, unsupported

# JSON is what parse_json makes before it is stored.
_VARIANTS = ("VARIANT", "JSON")


def arrow_table(found: duckdb.DuckDBPyRelation, time_zone: str = "UTC") -> pa.Table:
    """The rows of a relation.

    Args:
        found: A query.
        time_zone: The zone in which the session shows timestamps.

    Raises:
        SqlError: A sum of integers needs more than 64 bits, or a VARIANT stands inside another type.
    """
    kinds = [str(kind) for kind in found.types]
    if any(str(kind) not in _VARIANTS and _holds_variant(kind) for kind in found.types):
        raise unsupported("a VARIANT inside an ARRAY, MAP or STRUCT: keep it in a column of its own")
    names = found.columns
    if any(kind in _VARIANTS for kind in kinds):
        # By position, since two columns may have one name.
        found = found.project(", ".join(_selected(place, kind) for place, kind in enumerate(kinds, start=1)))
    table = found.to_arrow_table()
    fields, columns = [], []
    for name, kind, field, column in zip(names, kinds, table.schema, table.columns, strict=True):
        made, values = in_time_zone(*spark_column(field.with_name(name), column), time_zone)
        if kind == "HUGEINT":
            made, values = _narrowed(made, values)
        fields.append(made.with_metadata(VARIANT) if kind in _VARIANTS else made)
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _holds_variant(kind: Any) -> bool:
    if kind.id in ("list", "array", "map", "struct"):
        return any(_holds_variant(child) for _, child in kind.children if not isinstance(child, int))
    return str(kind) == "VARIANT"


def _selected(place: int, kind: str) -> str:
    # Through JSON also where it is JSON already: the client reads text.
    return f"CAST(CAST(#{place} AS JSON) AS VARCHAR) AS c{place}" if kind in _VARIANTS else f"#{place} AS c{place}"


def _narrowed(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    """DuckDB's sums of integers are 128 bits wide, where Spark's stay BIGINT."""
    try:
        return field.with_type(pa.int64()), column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SqlError("ARITHMETIC_OVERFLOW", "long overflow.", "22003") from error
