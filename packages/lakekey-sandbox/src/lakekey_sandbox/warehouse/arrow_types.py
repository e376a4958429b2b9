"""Arrow types as Databricks has them: names, Thrift descriptors, and the way there from other engines."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

_TypeId: Any = ttypes.TTypeId

# The type of a column is told by the Arrow type, except for intervals and variants, which travel as strings.
INTERVAL_KEY = b"Spark:DataType:SqlName"
# A VARIANT travels as JSON text, and only this says what it is.
VARIANT = {INTERVAL_KEY: b"VARIANT"}
_COMMENT_KEY = b"comment"
_INTERVALS: dict[bytes, int] = {
    b"INTERVAL YEAR TO MONTH": _TypeId.INTERVAL_YEAR_MONTH_TYPE,
    b"INTERVAL DAY TO SECOND": _TypeId.INTERVAL_DAY_TIME_TYPE,
}
_SCALARS: dict[int, tuple[str, int]] = {
    pa.bool_().id: ("BOOLEAN", _TypeId.BOOLEAN_TYPE),
    pa.int8().id: ("TINYINT", _TypeId.TINYINT_TYPE),
    pa.int16().id: ("SMALLINT", _TypeId.SMALLINT_TYPE),
    pa.int32().id: ("INT", _TypeId.INT_TYPE),
    pa.int64().id: ("BIGINT", _TypeId.BIGINT_TYPE),
    pa.float32().id: ("FLOAT", _TypeId.FLOAT_TYPE),
    pa.float64().id: ("DOUBLE", _TypeId.DOUBLE_TYPE),
    pa.string().id: ("STRING", _TypeId.STRING_TYPE),
    pa.binary().id: ("BINARY", _TypeId.BINARY_TYPE),
    pa.date32().id: ("DATE", _TypeId.DATE_TYPE),
    # Spark's Thrift server has no other type for a column of NULLs.
    pa.null().id: ("VOID", _TypeId.STRING_TYPE),
}
_PARAMETRIC: list[tuple[Callable[[pa.DataType], bool], int]] = [
    (pa.types.is_decimal, _TypeId.DECIMAL_TYPE),
    (pa.types.is_timestamp, _TypeId.TIMESTAMP_TYPE),
    (pa.types.is_list, _TypeId.ARRAY_TYPE),
    (pa.types.is_map, _TypeId.MAP_TYPE),
    (pa.types.is_struct, _TypeId.STRUCT_TYPE),
]
_WIDENED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
    pa.date64(): pa.date32(),
}


def sql_name(kind: pa.DataType) -> str:
    """The Databricks SQL name of an Arrow type, such as ``ARRAY<INT>``."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "TIMESTAMP_NTZ"
    if pa.types.is_list(kind):
        return f"ARRAY<{sql_name(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"MAP<{sql_name(kind.key_type)}, {sql_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"STRUCT<{', '.join(f'{field.name}: {sql_name(field.type)}' for field in kind)}>"
    return _SCALARS[kind.id][0]


def type_id(field: pa.Field) -> int:
    """The Thrift type of a column.

    Args:
        field: A column in Arrow types that Spark knows.
    """
    interval = _INTERVALS.get((field.metadata or {}).get(INTERVAL_KEY, b""))
    if interval is not None:
        return interval
    for holds, number in _PARAMETRIC:
        if holds(field.type):
            return number
    return _SCALARS[field.type.id][1]


def column_name(field: pa.Field) -> str:
    """The Databricks SQL name of a column's type, intervals included."""
    metadata = field.metadata or {}
    if INTERVAL_KEY in metadata:
        return str(metadata[INTERVAL_KEY].decode())
    return sql_name(field.type)


def descriptor(field: pa.Field) -> ttypes.TTypeDesc:
    """The Thrift descriptor of a column's type; decimals carry their precision and scale."""
    qualifiers = None
    if pa.types.is_decimal(field.type):
        qualifiers = ttypes.TTypeQualifiers(
            qualifiers={
                "precision": ttypes.TTypeQualifierValue(i32Value=field.type.precision),
                "scale": ttypes.TTypeQualifierValue(i32Value=field.type.scale),
            }
        )
    entry = ttypes.TPrimitiveTypeEntry(type=type_id(field), typeQualifiers=qualifiers)
    return ttypes.TTypeDesc(types=[ttypes.TTypeEntry(primitiveEntry=entry)])


def spark_type(kind: pa.DataType) -> pa.DataType:
    """The nearest type that Spark has: no unsigned numbers, no times of day, microseconds only."""
    for holds, convert in _CONVERTED:
        if holds(kind):
            return convert(kind)
    return _WIDENED.get(kind, kind)


def _spark_list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", spark_type(kind.value_type)))


def _spark_map(kind: pa.DataType) -> pa.DataType:
    return pa.map_(spark_type(kind.key_type), spark_type(kind.item_type))


def _spark_struct(kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(part.name, spark_type(part.type), part.nullable) for part in kind])


_CONVERTED: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]]] = [
    (pa.types.is_timestamp, lambda kind: pa.timestamp("us", "Etc/UTC" if kind.tz else None)),
    (pa.types.is_time, lambda _: pa.string()),
    (pa.types.is_decimal, lambda kind: pa.decimal128(kind.precision, kind.scale)),
    (pa.types.is_fixed_size_binary, lambda _: pa.binary()),
    (pa.types.is_map, _spark_map),
    (pa.types.is_struct, _spark_struct),
    (pa.types.is_list, _spark_list),
    (pa.types.is_large_list, _spark_list),
    (pa.types.is_fixed_size_list, _spark_list),
]


def spark_column(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    """A column in Arrow types that Spark knows.

    Args:
        field: The column's name and type, from any engine.
        column: Its values.
    """
    if pa.types.is_interval(field.type):
        return _interval_column(field, column)
    kind = spark_type(field.type)
    return pa.field(field.name, kind, metadata=field.metadata), column.cast(kind)


def in_time_zone(field: pa.Field, column: pa.ChunkedArray, time_zone: str) -> tuple[pa.Field, pa.ChunkedArray]:
    """A column as a session in that zone shows it: timestamps are the same instants, told by its clock.

    Args:
        field: The column's name and type, one that Spark knows.
        column: Its values.
        time_zone: A region such as ``Europe/Amsterdam``, or an offset such as ``+02:00``.
    """
    if not (pa.types.is_timestamp(field.type) and field.type.tz) or time_zone == "UTC":
        return field, column
    kind = pa.timestamp("us", time_zone)
    return field.with_type(kind), column.cast(kind)


def with_comment(field: pa.Field, comment: str | None) -> pa.Field:
    """A column of a table, with what its owner says about it."""
    return field if comment is None else field.with_metadata({**(field.metadata or {}), _COMMENT_KEY: comment.encode()})


def comment_of(field: pa.Field) -> str | None:
    """What the owner of a table says about a column."""
    comment = (field.metadata or {}).get(_COMMENT_KEY)
    return None if comment is None else str(comment.decode())


def _interval_column(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    # An engine with one interval type for both does not say which it was: only the values do.
    values = column.to_pylist()
    months_only = any(value for value in values) and all(
        value is None or (value.days == 0 and value.nanoseconds == 0) for value in values
    )
    name = b"INTERVAL YEAR TO MONTH" if months_only else b"INTERVAL DAY TO SECOND"
    write = _year_month if months_only else _day_time
    texts = [None if value is None else write(value) for value in values]
    made = pa.field(field.name, pa.string(), metadata={INTERVAL_KEY: name})
    return made, pa.chunked_array([pa.array(texts, type=pa.string())])


def _year_month(value: pa.MonthDayNano) -> str:
    years, months = divmod(abs(value.months), 12)
    return f"{'-' if value.months < 0 else ''}{years}-{months}"


def _day_time(value: pa.MonthDayNano) -> str:
    # Spark keeps months and days apart; an engine that mixes them counts a month as 30 days.
    nanoseconds = (value.months * 30 + value.days) * 86_400_000_000_000 + value.nanoseconds
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{sign}{days} {hour:02}:{minute:02}:{second:02}.{fraction:09}"
