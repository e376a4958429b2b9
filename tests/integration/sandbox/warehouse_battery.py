"""What the unmodified connector must be able to do with the sandbox's warehouse.

A program of its own, so that any interpreter with any release of databricks-sql-connector can run it: it
imports nothing of ours. It is given the arguments of ``sql.connect`` and one access token for each of two
subjects as JSON, and prints what became of each check as JSON.
"""

import datetime as dt
import decimal
import json
import sys
import threading
import time
import traceback

from databricks import sql

NAIVE = dt.datetime.fromisoformat("2024-02-29 12:34:56")
MERGE = """merge into dml t using (select 2 as a, 'm' as b union all select 9, 'n') s on t.a = s.a
    when matched then update set * when not matched then insert *"""
SLOW = "select count(*) from range(1000000) a cross join range(1000000) b where (a.id * b.id) % 7 = 3"


class Client:
    def __init__(self, arguments, tokens, subjects):
        self.arguments, self.tokens, self.subjects = arguments, tokens, subjects

    def connect(self, who=0, **options):
        return sql.connect(access_token=self.tokens[who], **self.arguments, **options)

    def rows(self, statement, parameters=None, **options):
        with self.connect(**options) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [tuple(row) for row in cursor.fetchall()]


def fails(cursor, statement, *parts):
    try:
        cursor.execute(statement)
    except sql.exc.ServerOperationError as error:
        missing = [part for part in parts if part not in str(error)]
        assert not missing, f"{statement}: {error}"
    else:
        raise AssertionError(f"{statement} did not fail")


def check_values_of_every_type_arrive(client):
    statement = """select true, 1Y, 2S, 3, 4L, 1.5f, 2.5D, cast(1.25 as decimal(10,2)), 'gr\u00fc\u00df',
        X'00FF', date'2024-02-29', timestamp'2024-02-29 12:34:56.789012', timestamp_ntz'2024-02-29 12:34:56',
        interval '1-2' year to month, interval '3 04:05:06.7' day to second"""
    with client.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = tuple(cursor.fetchone())
        kinds = [column[1] for column in cursor.description]
        decimals = cursor.description[7][4:6]
    assert row[:5] == (True, 1, 2, 3, 4), row
    assert row[5:11] == (1.5, 2.5, decimal.Decimal("1.25"), "gr\u00fc\u00df", b"\x00\xff", dt.date(2024, 2, 29)), row
    assert row[11] == dt.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=dt.UTC), row[11]
    assert row[12] == NAIVE, row[12]
    assert row[13:] == ("1-2", "3 04:05:06.700000000"), row
    assert decimals == (10, 2), decimals
    assert kinds == [
        *("boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "string"),
        *("binary", "date", "timestamp", "timestamp", "interval_year_month", "interval_day_time"),
    ], kinds


def check_nested_values_arrive(client):
    statement = "select array(1, null, 3), map('k', 1.5D), named_struct('a', 1, 'b', array('x'))"
    ((array, mapping, struct),) = client.rows(statement)
    assert [None if item != item else item for item in array] in ([1, None, 3], [1.0, None, 3.0]), array
    assert dict(mapping) == {"k": 1.5}, mapping
    assert struct["a"] == 1, struct
    assert list(struct["b"]) == ["x"], struct


def check_nested_values_arrive_as_json_where_the_client_wants_strings(client):
    statement = "select array(1, null), map('k', date'2024-01-01'), named_struct('a', 1.50, 'b', 'x')"
    (row,) = client.rows(statement, _use_arrow_native_complex_types=False)
    assert [json.loads(value) for value in row] == [[1, None], {"k": "2024-01-01"}, {"a": 1.5, "b": "x"}], row


def check_nulls_of_every_type_arrive(client):
    kinds = ["boolean", "tinyint", "int", "bigint", "double", "decimal(5,1)", "string", "binary", "date", "timestamp"]
    statement = ", ".join(f"cast(null as {kind})" for kind in kinds)
    assert client.rows(f"select {statement}, null") == [(None,) * (len(kinds) + 1)]


def check_columns_have_the_names_that_databricks_gives_them(client):
    with client.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select 1, 'x', current_user(), count(*), 1 as `a b`, 2 as a, 3 as a")
        names = [column[0] for column in cursor.description]
    assert names == ["1", "x", "current_user()", "count(1)", "a b", "a", "a"], names


def check_large_results_come_in_several_fetches(client):
    with client.connect() as connection, connection.cursor(arraysize=60_000) as cursor:
        cursor.execute("select id, concat('row ', cast(id as string)) as text from range(250000) order by id")
        count = last = 0
        while batch := cursor.fetchmany(70_000):
            assert [batch[0][0], batch[-1][1]] == [count, f"row {count + len(batch) - 1}"], (batch[0], batch[-1])
            count += len(batch)
            last = len(batch)
        assert (count, last) == (250_000, 40_000), (count, last)
        cursor.execute("select id from range(250000)")
        assert cursor.fetchall_arrow().num_rows == 250_000


def check_small_buffers_are_respected(client):
    with client.connect() as connection, connection.cursor(buffer_size_bytes=100_000) as cursor:
        cursor.execute("select id, repeat('x', 100) from range(5000) order by id")
        assert [row[0] for row in cursor.fetchall()] == list(range(5000))


def check_uncompressed_results_arrive(client):
    assert client.rows("select id from range(3) order by id", enable_query_result_lz4_compression=False) == [
        (0,),
        (1,),
        (2,),
    ]


def check_named_parameters_of_every_type_are_bound(client):
    moment = dt.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=dt.UTC)
    values = {
        "text": 'it\'s \\ "quoted" -- not a comment; :number ?',
        "number": -5,
        "large": 2**40,
        "real": 2.5,
        "exact": decimal.Decimal("1234.5678"),
        "truth": True,
        "day": dt.date(2024, 2, 29),
        "moment": moment,
        "nothing": None,
    }
    statement = "select " + ", ".join(f":{name} as {name}" for name in values)
    (row,) = client.rows(statement, values)
    assert row == tuple(values.values()), row


def check_declared_parameters_keep_their_types(client):
    from databricks.sql import parameters as it

    given = [
        it.TinyIntParameter(1),
        it.SmallIntParameter(2),
        it.BigIntegerParameter(3),
        it.FloatParameter(1.5),
        it.DecimalParameter(decimal.Decimal("1.5"), scale=10, precision=4),
        it.TimestampNTZParameter(NAIVE),
        it.StringParameter("x"),
    ]
    with client.connect() as connection, connection.cursor() as cursor:
        # Release 4.4 cannot read two columns of one name.
        cursor.execute("select " + ", ".join(f"? as c{index}" for index in range(len(given))), given)
        kinds = [column[1] for column in cursor.description]
        row = tuple(cursor.fetchone())
    assert kinds == ["tinyint", "smallint", "bigint", "float", "decimal", "timestamp", "string"], kinds
    assert row == (1, 2, 3, 1.5, decimal.Decimal("1.5"), NAIVE, "x"), row


def check_positional_parameters_are_bound_in_the_order_of_the_text(client):
    statement = "with w as (select ? as a) select a, ? as b, '?' as c /* ? */ from w where ? = 'z' limit ?"
    assert client.rows(statement, ["x", "y", "z", 1]) == [("x", "y", "?")]


def check_nested_parameters_are_bound(client):
    ((array, mapping),) = client.rows("select :a, :m", {"a": [1, 2, 3], "m": {"k": 1}})
    assert list(array) == [1, 2, 3], array
    assert dict(mapping) == {"k": 1}, mapping


def check_back_ticked_markers_are_bound(client):
    assert client.rows("select :`p` + :`q`", {"p": 1, "q": 2}) == [(3,)]


def check_a_marker_without_a_value_is_named(client):
    with client.connect() as connection, connection.cursor() as cursor:
        fails(cursor, "select :absent", "[UNBOUND_SQL_PARAMETER]", "absent", "42P02")


def check_dml_says_how_many_rows_it_changed(client):
    with client.connect(schema="default") as connection, connection.cursor() as cursor:
        counts = []
        for statement in (
            "create or replace table dml (a int, b string) using delta",
            "insert into dml values (1, 'a'), (2, 'b'), (3, 'c')",
            "update dml set b = 'z' where a > 1",
            "delete from dml where a = 1",
            MERGE,
            "insert overwrite dml select 5, 'o'",
        ):
            cursor.execute(statement)
            counts.append(tuple(cursor.fetchall()[0]) if cursor.description else ())
            if statement.startswith("update") and int(sql.__version__.split(".")[1]) >= 9:
                assert cursor.rowcount == 2, cursor.rowcount
        cursor.execute("select * from dml")
        assert [tuple(row) for row in cursor.fetchall()] == [(5, "o")]
    assert counts == [(), (3, 3), (2,), (1,), (2, 1, 0, 1), (1, 1)], counts


def check_metadata_calls_list_what_is_there(client):
    with client.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create schema if not exists meta")
        cursor.execute("create or replace table meta.listed (a int not null, b decimal(10,2), c array<string>)")
        cursor.execute("create or replace view meta.seen as select 1 as x")
        assert ("main",) in [tuple(row) for row in cursor.catalogs().fetchall()]
        assert ("meta", "main") in [tuple(row) for row in cursor.schemas(catalog_name="main").fetchall()]
        assert [tuple(row) for row in cursor.schemas(schema_name="met_").fetchall()] == [("meta", "main")]
        tables = cursor.tables(catalog_name="main", schema_name="meta").fetchall()
        assert sorted(tuple(row)[:4] for row in tables) == [
            ("main", "meta", "listed", "TABLE"),
            ("main", "meta", "seen", "VIEW"),
        ], tables
        views = cursor.tables(schema_name="meta", table_types=["VIEW"]).fetchall()
        assert [row[2] for row in views] == ["seen"], views
        columns = cursor.columns(schema_name="meta", table_name="listed").fetchall()
        found = [(row[3], row[5], row[6], row[8], row[10], row[16]) for row in columns]
        assert found == [
            ("a", "INT", 10, 0, 0, 0),
            ("b", "DECIMAL(10,2)", 10, 2, 1, 1),
            ("c", "ARRAY<STRING>", None, None, 1, 2),
        ], found
        assert cursor.tables(schema_name="absent").fetchall() == []
        assert cursor.catalogs().fetchall_arrow().column(0).to_pylist() == ["hive_metastore", "main", "samples"]


def check_errors_carry_condition_and_sqlstate(client):
    with client.connect() as connection, connection.cursor() as cursor:
        fails(cursor, "select * from nowhere", "[TABLE_OR_VIEW_NOT_FOUND]", "`nowhere`", "SQLSTATE: 42P01")
        fails(cursor, "selec 1", "[PARSE_SYNTAX_ERROR]", "SQLSTATE: 42601")
        fails(cursor, "select 1; select 2", "[PARSE_SYNTAX_ERROR]")
        fails(cursor, "select absent from range(1)", "[UNRESOLVED_COLUMN", "`absent`", "42703")
        fails(cursor, "select cast('x' as int)", "[CAST_INVALID_INPUT]", "22018")
        fails(cursor, "select 1 / 0", "[DIVIDE_BY_ZERO]", "22012")
        fails(cursor, "use schema absent", "[SCHEMA_NOT_FOUND]", "`main`.`absent`", "42704")
        fails(cursor, "use catalog absent", "[NO_SUCH_CATALOG_EXCEPTION]", "'absent'", "42704")
        fails(cursor, "select absent(1)", "[UNRESOLVED_ROUTINE]", "42883")
        fails(cursor, "select * from read_csv('/etc/hostname')", "SQLSTATE")
        cursor.execute("select 1")
        assert cursor.fetchone()[0] == 1


def check_a_connection_starts_in_the_catalog_and_schema_it_asks_for(client):
    with client.connect(catalog="hive_metastore", schema="default") as connection, connection.cursor() as cursor:
        cursor.execute("select current_catalog(), current_database(), current_schema()")
        assert tuple(cursor.fetchone()) == ("hive_metastore", "default", "default")
        cursor.execute("use catalog main")
        cursor.execute("select current_catalog()")
        assert cursor.fetchone()[0] == "main"
    try:
        client.connect(catalog="absent")
    except sql.exc.Error as error:
        assert "NO_SUCH_CATALOG_EXCEPTION" in str(error), error
    else:
        raise AssertionError("a session opened in a catalog that is not there")


def check_a_session_may_begin_in_a_schema_that_comes_later(client):
    client.rows("drop schema if exists later cascade")
    with client.connect(schema="later") as connection, connection.cursor() as cursor:
        cursor.execute("select current_catalog(), current_schema()")
        assert tuple(cursor.fetchone()) == ("main", "later")
        fails(cursor, "create table lost (a int)", "[SCHEMA_NOT_FOUND]", "`main`.`later`")
        cursor.execute("create schema later")
        cursor.execute("create table found as select 1 as a")
        cursor.execute("select a from main.later.found")
        assert cursor.fetchone()[0] == 1


def check_temporary_views_stay_in_their_session(client):
    with client.connect() as one, client.connect() as other:
        with one.cursor() as cursor:
            cursor.execute("create temporary view private as select 7 as x")
            cursor.execute("select x from private")
            assert cursor.fetchone()[0] == 7
        with other.cursor() as cursor:
            fails(cursor, "select x from private", "[TABLE_OR_VIEW_NOT_FOUND]")


def check_a_long_statement_is_cancelled(client):
    seen = []
    with client.connect() as connection, connection.cursor() as cursor:

        def run():
            try:
                cursor.execute(SLOW)
                cursor.fetchall()
            except sql.exc.Error as error:
                seen.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 30
        while (
            cursor.active_command_id is None
            if hasattr(cursor, "active_command_id")
            else (cursor.active_op_handle is None)
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started = time.monotonic()
        cursor.cancel()
        thread.join(20)
        assert not thread.is_alive()
        assert time.monotonic() - started < 10, time.monotonic() - started
        assert seen, "the cancelled statement gave a result"
        assert "OPERATION_CANCELED" in seen[0], seen
        cursor.execute("select 1")
        assert cursor.fetchone()[0] == 1


def check_two_subjects_in_parallel_see_themselves(client):
    with client.connect(0) as connection, connection.cursor() as cursor:
        cursor.execute("create or replace view whoami as select current_user() as reader")
    seen, failures = [set(), set()], []
    barrier = threading.Barrier(4)

    def ask(who):
        try:
            with client.connect(who) as connection, connection.cursor() as cursor:
                barrier.wait(30)
                for _ in range(10):
                    cursor.execute("select current_user(), session_user(), (select reader from whoami)")
                    seen[who].update(cursor.fetchone())
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=ask, args=(number % 2,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert seen == [{client.subjects[0]}, {client.subjects[1]}], seen


def check_writers_of_one_table_do_not_fail(client):
    with client.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create or replace table counter as select 0 as n")
    failures = []

    def add():
        try:
            with client.connect() as connection, connection.cursor() as cursor:
                for _ in range(5):
                    cursor.execute("update counter set n = n + 1")
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert client.rows("select n from counter") == [(20,)]


def check_asynchronous_statements_are_fetched_later(client):
    with client.connect() as connection, connection.cursor() as cursor:
        cursor.execute_async("select id from range(150000) order by id")
        deadline = time.monotonic() + 30
        while cursor.is_query_pending():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        cursor.get_async_execution_result()
        assert [row[0] for row in cursor.fetchall()] == list(range(150_000))


def main():
    given = json.load(sys.stdin)
    client = Client(given["arguments"], given["tokens"], given["subjects"])
    outcome = {"version": sql.__version__}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check(client)
                outcome[name] = "ok"
            except Exception:
                outcome[name] = traceback.format_exc()
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
