"""Rows and their description, in the shapes that the connector reads."""

import datetime as dt
import decimal
import json
from typing import Any

import lz4.frame
import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse.arrow_types import INTERVAL_KEY, column_name, descriptor
from lakekey_sandbox.warehouse.columnar import thrift_columns
from lakekey_sandbox.warehouse.operations import Encoding

# A batch is one Thrift field that both sides hold in memory twice while they pack and unpack it.
_BATCH_ROWS = 65_536
_SUCCESS = ttypes.TStatusCode.SUCCESS_STATUS


def success() -> ttypes.TStatus:
    """The status of a request that was served."""
    return ttypes.TStatus(statusCode=_SUCCESS)


def metadata(table: pa.Table, encoding: Encoding) -> ttypes.TGetResultSetMetadataResp:
    """Describe a result: its columns, and how its rows will travel.

    Args:
        table: The whole result, in Arrow types that Spark knows.
        encoding: How the client reads rows.
    """
    columns = [
        ttypes.TColumnDesc(columnName=field.name, typeDesc=descriptor(field), position=position, comment="")
        for position, field in enumerate(table.schema, start=1)
    ]
    formats = ttypes.TSparkRowSetType
    return ttypes.TGetResultSetMetadataResp(
        status=success(),
        schema=ttypes.TTableSchema(columns=columns),
        resultFormat=formats.ARROW_BASED_SET if encoding.arrow else formats.COLUMN_BASED_SET,
        lz4Compressed=encoding.arrow and encoding.lz4,
        arrowSchema=_travelling_schema(table.schema, encoding).serialize().to_pybytes() if encoding.arrow else None,
        isStagingOperation=False,
    )


def rows_within(table: pa.Table, offset: int, max_rows: int | None, max_bytes: int | None) -> int:
    """How many rows from an offset on one answer may hold; at least one, if there is one.

    Args:
        table: The whole result.
        offset: The first row of the answer.
        max_rows: What the client asked for; ``None`` or less than one is no limit.
        max_bytes: The same in bytes, before compression.
    """
    left: int = table.num_rows - offset
    count = min(left, max_rows) if max_rows and max_rows > 0 else left
    if max_bytes and max_bytes > 0 and table.num_rows:
        count = min(count, max(1, int(max_bytes / max(1.0, table.nbytes / table.num_rows))))
    return count


def row_set(table: pa.Table, offset: int, count: int, encoding: Encoding) -> ttypes.TRowSet:
    """Some rows of a result.

    Args:
        table: The whole result, in Arrow types that Spark knows.
        offset: The first row.
        count: How many.
        encoding: How the client reads rows.
    """
    part = _travelling(table.slice(offset, count), encoding)
    if not encoding.arrow:
        return ttypes.TRowSet(startRowOffset=offset, rows=[], columns=thrift_columns(part))
    batches = []
    for batch in part.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS):
        body = batch.serialize().to_pybytes()
        batches.append(
            ttypes.TSparkArrowBatch(batch=lz4.frame.compress(body) if encoding.lz4 else body, rowCount=batch.num_rows)
        )
    return ttypes.TRowSet(startRowOffset=offset, rows=[], arrowBatches=batches)


def _travelling_schema(schema: pa.Schema, encoding: Encoding) -> pa.Schema:
    return pa.schema(
        [
            pa.field(
                field.name,
                pa.string() if _as_string(field.type, encoding) else field.type,
                metadata={INTERVAL_KEY: column_name(field).encode()},
            )
            for field in schema
        ]
    )


def _travelling(table: pa.Table, encoding: Encoding) -> pa.Table:
    columns = [
        pa.chunked_array([pa.array([_text(value, field.type) for value in column.to_pylist()], pa.string())])
        if _as_string(field.type, encoding)
        else column
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=_travelling_schema(table.schema, encoding))


def _as_string(kind: pa.DataType, encoding: Encoding) -> bool:
    # Thrift columns have no decimals, dates, timestamps or nested values: all of these go as strings.
    if pa.types.is_nested(kind):
        return not (encoding.arrow and encoding.native_complex)
    if pa.types.is_decimal(kind):
        return not (encoding.arrow and encoding.native_decimals)
    if pa.types.is_timestamp(kind):
        return not (encoding.arrow and encoding.native_timestamps)
    return not encoding.arrow and (pa.types.is_date(kind) or pa.types.is_null(kind))


def _text(value: Any, kind: pa.DataType) -> str | None:
    if value is None:
        return None
    if pa.types.is_nested(kind):
        return json.dumps(_plain(value, kind), separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, dt.datetime):
        return _timestamp(value)
    return str(value)


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {_key(key): _plain(item, kind.item_type) for key, item in value}
    if pa.types.is_list(kind):
        return [_plain(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _plain(value[field.name], field.type) for field in kind}
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return _timestamp(value)
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, bool | int | float | str) else str(value)


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _timestamp(value) if isinstance(value, dt.datetime) else str(value)


def _timestamp(value: dt.datetime) -> str:
    text = value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return text.rstrip("0").rstrip(".") if "." in text else text
