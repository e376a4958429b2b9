"""Rows as Thrift columns, for clients that have no Arrow."""

from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

# The Arrow type of a column to its field in TColumn, the struct there, and what stands where NULL is.
_SHAPES: dict[int, tuple[str, Any, Any]] = {
    pa.bool_().id: ("boolVal", ttypes.TBoolColumn, False),
    pa.int8().id: ("byteVal", ttypes.TByteColumn, 0),
    pa.int16().id: ("i16Val", ttypes.TI16Column, 0),
    pa.int32().id: ("i32Val", ttypes.TI32Column, 0),
    pa.int64().id: ("i64Val", ttypes.TI64Column, 0),
    pa.float32().id: ("doubleVal", ttypes.TDoubleColumn, 0.0),
    pa.float64().id: ("doubleVal", ttypes.TDoubleColumn, 0.0),
    pa.binary().id: ("binaryVal", ttypes.TBinaryColumn, b""),
    pa.string().id: ("stringVal", ttypes.TStringColumn, ""),
}


def thrift_columns(table: pa.Table) -> list[ttypes.TColumn]:
    """The columns of a table; nested values, decimals, dates and timestamps are strings already."""
    return [_column(column) for column in table.columns]


def _column(column: pa.ChunkedArray) -> ttypes.TColumn:
    name, shape, blank = _SHAPES[column.type.id]
    values = column.to_pylist()
    nulls = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if value is None:
            nulls[index // 8] |= 1 << (index % 8)
            values[index] = blank
    return ttypes.TColumn(**{name: shape(values=values, nulls=bytes(nulls))})
