"""Statements that the connector begins by itself, to end a transaction: none of them is sent again either."""

from contextlib import suppress

import pytest
import sqlalchemy as sa
from databricks import sql

import lakekey


@pytest.fixture
def connection(principal, written):
    """A connection with a transaction in which a row is written."""
    with lakekey.sql.connect(principal, enable_telemetry=False, ignore_transactions=False) as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("insert into written values (1)")
        yield connection


def chain(error):
    """What an error says, and what it was raised from."""
    return str(error) + (chain(error.__cause__) if error.__cause__ is not None else "")


def test_commit_whose_answer_is_lost_is_not_sent_again(box, connection, written):
    before = box.counters["statements"]
    box.fault("sql", drop_after=True)
    with pytest.raises(sql.exc.TransactionError) as caught:
        connection.commit()
    assert "the statement may have run, and was not sent again" in chain(caught.value)
    assert box.counters["statements"] == before + 1
    assert written() == 1


def test_commit_of_a_pooled_connection_whose_answer_is_lost_is_not_sent_again(box, principal, written):
    engine = lakekey.sqlalchemy.create_engine(
        principal, connect_args={"enable_telemetry": False, "ignore_transactions": False}
    )
    with engine.connect() as pooled:
        raw = pooled.connection.dbapi_connection
        raw.autocommit = False
        pooled.execute(sa.text("insert into written values (1)"))
        before = box.counters["statements"]
        box.fault("sql", drop_after=True)
        with pytest.raises(sql.exc.Error) as caught:
            raw.commit()
    assert "the statement may have run, and was not sent again" in chain(caught.value)
    assert box.counters["statements"] == before + 1
    assert written() == 1
    engine.dispose()


def test_end_of_a_transaction_without_a_commit_is_sent_again_where_its_answer_is_lost(box, connection, written):
    before = box.counters["statements"]
    box.fault("sql", drop_after=True)
    connection.rollback()
    box.fault("sql", drop_after=True)
    connection.autocommit = True
    assert box.counters["statements"] == before + 4
    assert written() == 0


def test_refused_commit_says_that_nothing_was_committed(box, connection, written):
    box.fault("sql", status=401)
    with pytest.raises(sql.exc.Error) as caught:
        connection.commit()
    assert "ExecuteStatement: the statement has not run" in caught.value.__cause__.message
    assert written() == 0


def test_refusal_of_a_second_rollback_does_not_say_that_the_first_has_not_run(box, connection):
    box.fault("sql", drop_after=True)
    box.fault("sql", status=401)
    with pytest.raises(sql.exc.Error) as caught:
        connection.rollback()
    assert "it may have run" in caught.value.__cause__.message


def test_session_whose_transactions_may_be_on_is_not_replaced(box, principal, written):
    with lakekey.sql.connect(principal, enable_telemetry=False, ignore_transactions=False) as connection:
        box.fault("sql", drop_after=True)
        box.fault("sql", status=401)
        with pytest.raises(sql.exc.Error):
            connection.autocommit = False
        box.fault("sql", status=401)
        with connection.cursor() as cursor, pytest.raises(sql.exc.RequestError) as caught:
            cursor.execute("insert into written values (1)")
        assert "the statement has not run, and was not sent again" in caught.value.__cause__.message
    assert written() == 0


def test_session_whose_mode_cannot_be_read_back_is_not_replaced(box, principal, written, monkeypatch):
    with lakekey.sql.connect(principal, enable_telemetry=False, ignore_transactions=False) as connection:
        mode = type(connection.connection).autocommit
        with monkeypatch.context() as patched, pytest.raises(sql.exc.TransactionError):
            patched.setattr(type(connection.connection), "autocommit", mode.getter(unreadable))
            connection.autocommit = False
        box.fault("sql", status=401)
        with connection.cursor() as cursor, pytest.raises(sql.exc.RequestError) as caught:
            cursor.execute("insert into written values (1)")
        assert "the statement has not run, and was not sent again" in caught.value.__cause__.message
    assert written() == 0


def test_transaction_begun_past_us_keeps_its_session(box, principal):
    with lakekey.sql.connect(principal, enable_telemetry=False, ignore_transactions=False) as connection:
        connection.connection.autocommit = False
        box.fault("sql", status=401)
        with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
            cursor.execute("select 1")


def test_mode_that_is_read_from_the_server_leaves_nothing_behind(box, principal):
    with lakekey.sql.connect(
        principal, enable_telemetry=False, ignore_transactions=False, fetch_autocommit_from_server=True
    ) as connection:
        assert not connection._bystanders.have_shaped
        before = box.counters["statements"]
        with suppress(sql.exc.Error):  # the server may not have such a setting
            assert connection.autocommit in (True, False)
        assert box.counters["statements"] == before + 1
        assert not connection._bystanders.have_shaped


def unreadable(_connection):
    raise sql.exc.TransactionError("the answer was lost")
