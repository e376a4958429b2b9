"""Transactions of several statements, through the unmodified connector."""

import pytest
from databricks import sql


@pytest.fixture
def table(connect, request):
    name = f"main.default.{request.node.name.partition('[')[0]}"
    with connect().cursor() as cursor:
        cursor.execute(f"create or replace table {name} (id int, value string)")
    return name


@pytest.fixture
def begin(connect):
    """Opens a connection that commits by itself no more."""

    def begin():
        connection = connect(ignore_transactions=False)
        connection.autocommit = False
        return connection

    return begin


def run(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def test_rows_are_seen_by_others_once_they_are_committed(table, begin, connect):
    ours, other = begin(), connect()
    run(ours, f"insert into {table} values (1, 'a')")
    run(ours, f"insert overwrite {table} select 2, 'b'")
    assert run(ours, f"select id from {table}") == [(2,)]
    assert run(other, f"select id from {table}") == []
    ours.commit()
    assert run(other, f"select id from {table}") == [(2,)]


def test_rollback_undoes_all_statements_since_the_last_commit(table, begin, connect):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    ours.commit()
    run(ours, f"insert into {table} values (2, 'b')")
    run(ours, f"update {table} set value = 'c'")
    ours.rollback()
    assert run(connect(), f"select * from {table}") == [(1, "a")]


def test_closing_the_connection_rolls_back(table, begin, connect):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    ours.close()
    assert run(connect(), f"select * from {table}") == []


def test_reads_repeat_within_a_transaction(table, begin, connect):
    ours, other = begin(), connect()
    run(other, f"insert into {table} values (1, 'a')")
    assert run(ours, f"select value from {table}") == [("a",)]
    run(other, f"update {table} set value = 'b'")
    assert run(ours, f"select value from {table}") == [("a",)]
    ours.rollback()
    assert run(ours, f"select value from {table}") == [("b",)]


def test_second_of_two_writers_fails_at_its_commit(table, begin, connect):
    run(connect(), f"insert into {table} values (1, 'a'), (2, 'a')")
    first, second = begin(), begin()
    run(first, f"update {table} set value = 'first' where id = 1")
    assert run(second, f"update {table} set value = 'second' where id = 1") == [(1,)]
    first.commit()
    with pytest.raises(sql.exc.TransactionError, match="DELTA_CONCURRENT_WRITE"):
        second.commit()
    assert run(second, f"select value from {table} order by id") == [("first",), ("a",)]


def test_failed_statement_leaves_only_the_rollback(table, begin, connect):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    with pytest.raises(sql.exc.ServerOperationError, match="TABLE_OR_VIEW_NOT_FOUND"):
        run(ours, "select * from nowhere")
    with pytest.raises(sql.exc.ServerOperationError, match="TRANSACTION_ABORTED"):
        run(ours, f"insert into {table} values (2, 'b')")
    with pytest.raises(sql.exc.TransactionError, match="TABLE_OR_VIEW_NOT_FOUND"):
        ours.commit()
    run(ours, f"insert into {table} values (3, 'c')")
    ours.commit()
    assert run(connect(), f"select id from {table}") == [(3,)]


def test_commit_needs_a_transaction_and_rollback_does_not(connect, begin):
    plain = connect(ignore_transactions=False)
    with pytest.raises(sql.exc.TransactionError, match="NO_ACTIVE_TRANSACTION"):
        plain.commit()
    plain.rollback()
    waiting = begin()
    waiting.commit()
    waiting.rollback()


def test_autocommit_is_told_and_stays_while_a_transaction_is_open(table, begin, connect):
    ours = begin()
    assert run(ours, "set autocommit") == [("false",)]
    run(ours, f"select * from {table}")
    with pytest.raises(sql.exc.TransactionError, match="SET_AUTOCOMMIT"):
        ours.autocommit = True
    ours.rollback()
    ours.autocommit = True
    run(ours, f"insert into {table} values (1, 'a')")
    assert run(connect(), f"select id from {table}") == [(1,)]


def test_begin_opens_a_transaction_of_its_own(table, connect):
    ours = connect()
    run(ours, "begin transaction")
    with pytest.raises(sql.exc.ServerOperationError, match="TRANSACTION_ALREADY_ACTIVE"):
        run(ours, "begin transaction")
    run(ours, f"insert into {table} values (1, 'a')")
    run(ours, "rollback")
    assert run(connect(), f"select id from {table}") == []


@pytest.mark.parametrize(
    "statement",
    [
        "show tables",
        "show catalogs",
        "show schemas",
        "describe table extended {table}",
        "select * from main.information_schema.columns",
        "create table main.default.late (a int)",
        "drop table {table}",
    ],
)
def test_what_a_transaction_may_not_hold_ends_it(statement, table, begin):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    with pytest.raises(sql.exc.ServerOperationError, match="multi-statement transaction"):
        run(ours, statement.format(table=table))
    with pytest.raises(sql.exc.ServerOperationError, match="TRANSACTION_ABORTED"):
        run(ours, f"insert into {table} values (2, 'b')")
    ours.rollback()


@pytest.mark.parametrize(
    "statement", ["describe table {table}", "show columns in {table}", "describe query select * from {table}", "set x"]
)
def test_what_a_transaction_may_hold(statement, table, begin, connect):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    assert run(ours, statement.format(table=table))
    ours.commit()
    assert run(connect(), f"select id from {table}") == [(1,)]


def test_metadata_calls_are_refused_and_the_transaction_goes_on(table, begin, connect):
    ours = begin()
    run(ours, f"insert into {table} values (1, 'a')")
    with ours.cursor() as cursor:
        for call in (cursor.catalogs, cursor.schemas, cursor.tables, cursor.columns):
            with pytest.raises(sql.exc.DatabaseError, match="multi-statement transaction"):
                call()
    ours.commit()
    assert run(connect(), f"select id from {table}") == [(1,)]


def test_definition_before_the_first_statement_is_a_transaction_of_its_own(table, begin, connect):
    ours = begin()
    run(ours, f"create or replace table {table} (id int)")
    ours.rollback()
    assert run(connect(), f"describe {table}") == [("id", "int", None)]
