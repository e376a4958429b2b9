import datetime as dt

import pyarrow as pa
import pytest

from lakekey_sandbox.warehouse.arrow_types import column_name, spark_column, spark_type, sql_name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.int8(), "TINYINT"),
        (pa.decimal128(10, 2), "DECIMAL(10,2)"),
        (pa.timestamp("us", "Etc/UTC"), "TIMESTAMP"),
        (pa.timestamp("us"), "TIMESTAMP_NTZ"),
        (pa.map_(pa.string(), pa.list_(pa.date32())), "MAP<STRING, ARRAY<DATE>>"),
        (pa.struct([("a", pa.int32()), ("b", pa.binary())]), "STRUCT<a: INT, b: BINARY>"),
    ],
)
def test_types_have_their_databricks_names(kind, name):
    assert sql_name(kind) == name


@pytest.mark.parametrize(
    ("kind", "nearest"),
    [
        (pa.uint8(), pa.int16()),
        (pa.uint64(), pa.decimal128(20, 0)),
        (pa.large_string(), pa.string()),
        (pa.timestamp("ns", "Europe/Berlin"), pa.timestamp("us", "Etc/UTC")),
        (pa.time64("us"), pa.string()),
        (pa.binary(4), pa.binary()),
        (pa.large_list(pa.uint16()), pa.list_(pa.field("element", pa.int32()))),
        (pa.map_(pa.large_string(), pa.uint32()), pa.map_(pa.string(), pa.int64())),
    ],
)
def test_foreign_types_become_the_nearest_that_spark_has(kind, nearest):
    assert spark_type(kind) == nearest


def intervals(*values):
    column = pa.chunked_array([pa.array(values, pa.month_day_nano_interval())])
    field, texts = spark_column(pa.field("i", column.type), column)
    return column_name(field), texts.to_pylist()


def test_intervals_of_months_are_year_month_text():
    assert intervals((14, 0, 0), None, (-5, 0, 0)) == ("INTERVAL YEAR TO MONTH", ["1-2", None, "-0-5"])


def test_intervals_with_days_are_day_time_text():
    second = 1_000_000_000
    assert intervals((0, 1, 3_723 * second + 5), (0, -1, 0)) == (
        "INTERVAL DAY TO SECOND",
        ["1 01:02:03.000000005", "-1 00:00:00.000000000"],
    )


def test_times_of_day_become_text():
    column = pa.chunked_array([pa.array([dt.time(1, 2, 3)], pa.time64("us"))])
    assert spark_column(pa.field("t", column.type), column)[1].to_pylist() == ["01:02:03.000000"]
