"""Databricks SQL on DuckDB, statement by statement."""

import pytest


def rows(client, statement):
    answer = client.run(statement)
    status = client.end(answer)
    assert status.displayMessage is None, status.displayMessage
    found = answer.directResults.resultSet or client.fetch(answer.operationHandle)
    columns = found.results.columns
    values = []
    for column in columns:
        held = next(value for value in vars(column).values() if value is not None)
        nulls = [held.nulls[index // 8] >> (index % 8) & 1 for index in range(len(held.values))]
        values.append([None if null else value for null, value in zip(nulls, held.values, strict=True)])
    return list(zip(*values, strict=True))


def test_catalogs_schemas_and_tables_are_made_used_and_listed(ada):
    ada.run("create catalog if not exists lab")
    ada.run("create schema lab.raw")
    ada.run("use lab.raw")
    assert rows(ada, "select current_catalog(), current_schema()") == [("lab", "raw")]
    ada.run("create table events (id int)")
    assert rows(ada, "show tables") == [("raw", "events", False)]
    assert rows(ada, "show tables in main.default") == []
    assert rows(ada, "show schemas in lab like 'r*|x'") == [("raw",)]
    assert rows(ada, "show catalogs") == [("hive_metastore",), ("lab",), ("main",), ("samples",)]
    assert rows(ada, "select count(*) from lab.raw.events") == [(0,)]
    assert "CATALOG_NOT_EMPTY" in ada.problem("drop catalog lab")
    ada.run("use catalog main")
    assert ada.problem("drop catalog lab cascade") is None
    assert "NO_SUCH_CATALOG_EXCEPTION" in ada.problem("drop catalog lab")
    assert ada.problem("drop catalog if exists lab") is None


def test_tables_are_shared_and_current_places_are_not(ada, client_of):
    grace = client_of("grace@example.com")
    ada.run("create schema shared")
    ada.run("use shared")
    ada.run("create table t as select 1 as a")
    assert rows(grace, "select a from shared.t") == [(1,)]
    assert rows(grace, "select current_schema()") == [("default",)]


def test_a_view_answers_its_reader_and_not_its_author(ada, client_of):
    ada.run("create view reader as select current_user() as who")
    assert client_of("grace@example.com").column("select who from reader") == ["grace@example.com"]


@pytest.mark.parametrize("expression", ["current_user()", "current_user", "session_user()", "session_user", "user()"])
def test_every_way_to_ask_for_the_user_is_answered(expression, ada):
    assert ada.column(f"select {expression}") == ["ada@example.com"]


def test_the_user_is_not_replaced_inside_text(ada):
    statement = "select 'current_user()' as `current_user()` -- current_user()"
    assert ada.column(statement) == ["current_user()"]


@pytest.mark.parametrize(
    "statement",
    [
        "set variable lakekey_user = 'root'",
        "select set_config('x', 'y', false)",
        "attach 'x.db'",
        "pragma version",
        "copy (select 1) to 'x.csv'",
        "select * from 'x.parquet'",
        "install httpfs",
        "load icu",
    ],
)
def test_what_only_duckdb_knows_is_refused(statement, ada):
    assert ada.problem(statement) is not None
    assert ada.column("select current_user()") == ["ada@example.com"]


def test_information_schema_shows_one_catalog_by_its_name(ada):
    ada.run("create table hive_metastore.default.old (a int)")
    ada.run("create table main.default.new (a int)")
    found = rows(ada, "select table_catalog, table_name from information_schema.tables")
    assert found == [("main", "new")]
    found = rows(ada, "select t.table_name from hive_metastore.information_schema.tables t")
    assert found == [("old",)]
    found = rows(
        ada, "select catalog_name, schema_name from main.information_schema.schemata where schema_name='default'"
    )
    assert found == [("main", "default")]


def test_describe_names_types_as_databricks_does(ada):
    ada.run("create table d (a bigint comment 'x', b decimal(5,1), c map<string, array<int>>, e timestamp) using delta")
    assert rows(ada, "describe table d") == [
        ("a", "bigint", "x"),
        ("b", "decimal(5,1)", None),
        ("c", "map<string, array<int>>", None),
        ("e", "timestamp", None),
    ]
    assert rows(ada, "show columns in d")[0] == ("a",)


def test_settings_are_kept_by_the_session(ada, client_of):
    assert rows(ada, "set a.b = some value") == [("a.b", "some value")]
    assert rows(ada, "set a.b") == [("a.b", "some value")]
    assert rows(client_of("grace@example.com"), "set a.b") == [("a.b", "<undefined>")]


def test_range_has_a_column_id(ada):
    assert rows(ada, "select r.id from range(2, 6, 2) r order by id") == [(2,), (4,)]


def test_a_sum_of_integers_is_a_bigint(ada):
    assert rows(ada, "select sum(id) from range(4)") == [(6,)]
    assert "ARITHMETIC_OVERFLOW" in ada.problem("select sum(9223372036854775807) from range(2)")


def test_values_have_the_columns_that_spark_names(ada):
    assert rows(ada, "values (1, 'a'), (2, 'b')") == [(1, "a"), (2, "b")]


def test_a_failed_overwrite_keeps_the_rows(ada):
    ada.run("create table kept as select 1 as a")
    assert "SQLSTATE" in ada.problem("insert overwrite kept select cast('x' as int)")
    assert rows(ada, "select a from kept") == [(1,)]


def test_alter_truncate_and_drop_work_on_qualified_names(ada):
    ada.run("create table default.t1 (a int)")
    ada.run("insert into default.t1 values (1)")
    assert ada.problem("alter table default.t1 add column b string") is None
    assert ada.problem("alter table default.t1 rename to default.t2") is None
    assert ada.problem("truncate table main.default.t2") is None
    assert rows(ada, "select count(*) from t2") == [(0,)]
    assert ada.problem("drop table if exists t1") is None
    assert ada.problem("drop table default.t2") is None


@pytest.mark.parametrize(
    "change",
    [
        "update {} set {}.b = 'new' where {}.a = 1",
        "merge into {} using (select 1 as a) s on {}.a = s.a when matched then update set {}.b = 'new'",
        "merge into {} using (select 1 as a) s on {}.a = s.a when matched then delete",
        "merge into {} using (select 2 as a) s on {}.a = s.a when not matched then insert ({}.a, {}.b) values (2, 'new')",
    ],
)
@pytest.mark.parametrize("alias", [None, "q"])
def test_changed_columns_may_have_the_name_of_their_table(change, alias, ada):
    ada.run("create table main.default.named (a int, b string)")
    ada.run("insert into named values (1, 'old')")
    place = change.replace("{}", f"main.default.named as {alias}" if alias else "named", 1)
    assert ada.problem(place.replace("{}", alias or "NAMED")) is None
    assert rows(ada, "select * from named where b = 'old' order by a") == ([(1, "old")] if "insert" in change else [])


def test_field_of_a_struct_is_not_set_as_the_column_of_its_name(ada):
    ada.run("create table nested (s struct<f int>, f int)")
    ada.run("insert into nested values (named_struct('f', 1), 2)")
    assert ada.problem("update nested set s.f = 5") is not None
    assert rows(ada, "select s.f as inner, f from nested") == [(1, 2)]


@pytest.mark.parametrize(
    ("statement", "condition", "sqlstate"),
    [
        ("", "PARSE_SYNTAX_ERROR", "42601"),
        ("select 'open", "PARSE_SYNTAX_ERROR", "42601"),
        ("select 1; select 2", "PARSE_SYNTAX_ERROR", "42601"),
        ("select from where", "PARSE_SYNTAX_ERROR", "42601"),
        ("create table t1 (a int); ", None, None),
        ("create table main.default.existing (a int)", "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
        ("create schema default", "SCHEMA_ALREADY_EXISTS", "42P06"),
        ("create catalog main", "CATALOG_ALREADY_EXISTS", "42P04"),
        ("select * from absent.t", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("select * from a.b.c", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("insert into absent values (1)", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("describe absent", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("show tables in absent", "SCHEMA_NOT_FOUND", "42704"),
        ("drop schema absent", "SCHEMA_NOT_FOUND", "42704"),
        ("drop schema default", "SCHEMA_NOT_EMPTY", "2BP01"),
        ("select absent", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703"),
        ("alter table existing drop column absent", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703"),
        ("select id, count(*) from range(2)", "MISSING_AGGREGATION", "42803"),
        ("select cast(300 as tinyint)", "CAST_INVALID_INPUT", "22018"),
        ("select 9223372036854775807 + 1", "ARITHMETIC_OVERFLOW", "22003"),
        ("grant select on t to x", "UNSUPPORTED_FEATURE", "0A000"),
        ("explain select 1", "UNSUPPORTED_FEATURE", "0A000"),
    ],
)
def test_failures_have_the_condition_and_sqlstate_of_databricks(statement, condition, sqlstate, ada):
    ada.run("create table main.default.existing (a int)")
    problem = ada.problem(statement)
    if condition is None:
        assert problem is None
    else:
        assert problem.startswith(f"[{condition}] "), problem
        assert f"SQLSTATE: {sqlstate}" in problem
        assert "uc_" not in problem
