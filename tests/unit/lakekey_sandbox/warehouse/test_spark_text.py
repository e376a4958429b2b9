"""What of a statement changes on its way to open-source Spark. Needs no Spark."""

import datetime as dt

import pytest

from lakekey_sandbox.warehouse.engine import Parameter
from lakekey_sandbox.warehouse.errors import SqlError
from lakekey_sandbox.warehouse.spark_text import first_words, prepare


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("select * from hive_metastore.a.t", "select * from spark_catalog.a.t"),
        ("select * from `hive_metastore`.a.t", "select * from spark_catalog.a.t"),
        ("use catalog hive_metastore", "SET catalog spark_catalog"),
        ("show schemas in hive_metastore;", "show schemas in spark_catalog;"),
        ("select 'hive_metastore.a' -- hive_metastore.b", "select 'hive_metastore.a' -- hive_metastore.b"),
        ("select a.hive_metastore.b from a", "select a.hive_metastore.b from a"),
        ("select 1 as hive_metastore", "select 1 as hive_metastore"),
        ("select 'it\\'s' /* ? */, \"?\" , `?`", "select 'it\\'s' /* ? */, \"?\" , `?`"),
    ],
)
def test_only_the_catalogs_name_changes(given, made):
    assert prepare(given, ()) == ([made], None)


def test_values_travel_apart_from_the_text():
    parameters = [
        Parameter("s", "STRING", "x' or 1"),
        Parameter("n", "INT", "5"),
        Parameter("d", "DATE", "2024-01-01"),
        Parameter("t", "TINYINT", "1"),
        Parameter("v", "VOID", None),
    ]
    (text,), values = prepare("select :s, :n, :d, :`t`, :v, ':t'", parameters)
    assert text == "select :s, :n, :d, CAST(:`t` AS TINYINT), :v, ':t'"
    assert values == {"s": "x' or 1", "n": 5, "d": dt.date(2024, 1, 1), "t": "1", "v": None}


def test_positional_markers_are_cast_in_order():
    parameters = [Parameter(None, "STRING", "a"), Parameter(None, "DECIMAL(3,1)", "1.5")]
    assert prepare("select ?, '?', ?", parameters) == (["select ?, '?', CAST(? AS DECIMAL(3,1))"], ["a", "1.5"])


def test_a_value_that_is_not_of_its_type_is_reported():
    with pytest.raises(SqlError, match="CAST_INVALID_INPUT"):
        prepare("select :n", [Parameter("n", "INT", "five")])


def test_the_kind_of_a_statement_is_found_behind_comments():
    assert first_words("/* a */ -- b\n insert  into t values (1)") == ["INSERT", "INTO"]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("create table t (a int) using delta", ["create table t (a int) using parquet"]),
        ("CREATE TABLE t USING Delta AS SELECT 1", ["CREATE TABLE t USING parquet AS SELECT 1"]),
        ("create table t as select a from b join c using delta", None),
        ("select 'create table t using delta'", None),
        (
            "create or replace table s.t using delta as select 1",
            [
                "CREATE TABLE s.t__lakekey_next using parquet as select 1",
                "DROP TABLE IF EXISTS s.t",
                "ALTER TABLE s.t__lakekey_next RENAME TO s.t",
            ],
        ),
        (
            "/* dbt */ create or replace table hive_metastore.`s`.`t` (a int)",
            [
                "CREATE TABLE spark_catalog.`s`.`t__lakekey_next` (a int)",
                "DROP TABLE IF EXISTS spark_catalog.`s`.`t`",
                "ALTER TABLE spark_catalog.`s`.`t__lakekey_next` RENAME TO `s`.`t`",
            ],
        ),
    ],
)
def test_delta_tables_become_parquet_and_are_replaced_in_three_steps(given, made):
    assert prepare(given, ())[0] == (made or [given])
