"""Real Spark SQL behind the warehouse, through the unmodified connector."""

import threading

import pytest
from databricks import sql
from requests import post

from lakekey.sandbox import Sandbox
from support.waiting import until

SUBJECTS = ["first-principal", "second-principal"]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def box():
    with Sandbox(engine="spark") as box:
        for subject in SUBJECTS:
            box.register_client(subject, client_secret="secret")
        yield box


@pytest.fixture
def connect(box):
    def connect(who=0, **options):
        form = {"grant_type": "client_credentials", "scope": "sql"}
        url = f"{box.host}/oidc/v1/token"
        answer = post(url, data=form, auth=(SUBJECTS[who], "secret"), verify=box.ca_file, timeout=10)
        return sql.connect(access_token=answer.json()["access_token"], **box.connect_args(), **options)

    return connect


@pytest.fixture
def cursor(connect):
    with connect() as connection, connection.cursor() as cursor:
        yield cursor


def rows(cursor, statement, parameters=None):
    cursor.execute(statement, parameters)
    return [tuple(row) for row in cursor.fetchall()]


def test_every_subject_is_its_own_current_user_also_in_a_shared_view(connect):
    with connect(0) as first, first.cursor() as cursor:
        cursor.execute("create or replace view reader as select current_user() as who")
    seen = {}

    def ask(who):
        with connect(who) as connection, connection.cursor() as cursor:
            seen[who] = rows(cursor, "select current_user(), session_user(), user(), (select who from reader)")

    threads = [threading.Thread(target=ask, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {who: [(SUBJECTS[who],) * 4] for who in (0, 1)}


def test_tables_of_hive_metastore_are_written_and_read(cursor):
    cursor.execute("create schema if not exists hive_metastore.lab")
    cursor.execute("create table hive_metastore.lab.t using parquet as select id, 'x' as s from range(10)")
    assert rows(cursor, "insert into lab.t values (10, 'y')") == [(1, 1)]
    assert cursor.rowcount == 1
    assert rows(cursor, "select count(*), max(s) from hive_metastore.lab.t") == [(11, "y")]
    tables = cursor.tables(schema_name="lab").fetchall()
    assert [tuple(row)[:4] for row in tables] == [("hive_metastore", "lab", "t", "TABLE")]
    columns = cursor.columns(schema_name="lab", table_name="t").fetchall()
    assert [(row[3], row[5]) for row in columns] == [("id", "BIGINT"), ("s", "STRING")]


def test_parameters_intervals_and_nested_values_arrive(cursor):
    statement = "select :n + 1, :s, interval '1-2' year to month, interval 3 days, array(1, 2), null"
    ((number, text, months, days, array, nothing),) = rows(cursor, statement, {"n": 4, "s": "it's"})
    assert (number, text, months, days, nothing) == (5, "it's", "1-2", "3 00:00:00.000000000", None)
    assert list(array) == [1, 2]


def test_large_results_come_in_several_fetches(cursor):
    assert [row[0] for row in rows(cursor, "select id from range(250000) order by id")] == list(range(250_000))


def test_sparks_own_errors_arrive(cursor):
    for statement, parts in {
        "select * from nowhere": ("[TABLE_OR_VIEW_NOT_FOUND]", "42P01"),
        "selec 1": ("[PARSE_SYNTAX_ERROR]", "42601"),
        "select 1 / 0": ("[DIVIDE_BY_ZERO]", "22012"),
    }.items():
        with pytest.raises(sql.exc.ServerOperationError) as caught:
            cursor.execute(statement)
        assert all(part in str(caught.value) for part in parts)


def test_a_long_statement_is_cancelled(cursor):
    failures = []

    def run():
        try:
            cursor.execute("select count(*) from range(100000000000) where hash(id) % 7 = 3")
        except sql.exc.Error as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: cursor.active_command_id is not None)
    cursor.cancel()
    thread.join(60)
    assert not thread.is_alive()
    assert "OPERATION_CANCELED" in failures[0]
    assert rows(cursor, "select 1") == [(1,)]


def test_delta_table_is_made_replaced_and_read_while_it_is_replaced(cursor):
    cursor.execute("create schema if not exists delta_lab")
    cursor.execute("create table delta_lab.t using delta tblproperties ('delta.x' = '1') as select 1 as a")
    cursor.execute(
        "create or replace table hive_metastore.`delta_lab`.`t` using delta as select a + 1 as a from delta_lab.t"
    )
    assert rows(cursor, "select a from delta_lab.t") == [(2,)]
    cursor.execute("create or replace table delta_lab.t (b string) using delta comment 'again'")
    assert rows(cursor, "select b from delta_lab.t") == []
    assert [row[1] for row in rows(cursor, "show tables in delta_lab")] == ["t"]


def test_change_that_only_delta_can_do_says_what_to_set(cursor):
    cursor.execute("create or replace table default.fixed using delta as select 1 as a")
    for statement in ("delete from default.fixed where a = 1", "update default.fixed set a = 2"):
        with pytest.raises(sql.exc.ServerOperationError, match="keeps Delta tables as Parquet"):
            cursor.execute(statement)


def test_variant_arrives_as_json_text(cursor):
    assert rows(cursor, """select parse_json('{"a": [1, 2]}') as v""") == [('{"a":[1,2]}',)]
    assert cursor.description[0][1] == "variant"
