"""A program's own cursors on our session: what they leave in it counts like what ours leave."""

import contextlib
import gc

import pytest
from databricks import sql
from databricks.sql.client import Cursor


class Own(Cursor):
    """A cursor as a program derives it."""


def of_the_connectors_connection(connection, _cursor, statement):
    with connection.connection.cursor() as own:
        own.execute(statement)


def of_ours(_connection, cursor, statement):
    cursor.cursor.execute(statement)
    cursor.cursor.close()


def of_the_class(_connection, cursor, statement):
    type(cursor.cursor).execute_async(cursor.cursor, statement)
    cursor.cursor.close()


def of_the_program(connection, _cursor, statement):
    with Own(connection, connection.session.backend) as own:
        own.execute(statement)


WAYS = [of_the_connectors_connection, of_ours, of_the_class, of_the_program]


def revoke(box, provider):
    box.revoke(token=provider.token().access_token)


@pytest.mark.parametrize("way", WAYS)
def test_what_another_cursor_leaves_in_the_session_keeps_it(box, principal, connection, way):
    way(connection, connection.cursor(), "create schema if not exists staging")
    way(connection, connection.cursor(), "use schema staging")
    revoke(box, principal)
    before = box.counters["statements"]
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as cursor:
        cursor.execute("create table t (n bigint)")
    assert "was not sent again" in caught.value.__cause__.message
    assert box.counters["statements"] == before


@pytest.mark.parametrize("way", WAYS)
def test_plain_read_of_another_cursor_leaves_nothing_behind(box, principal, connection, way):
    for _ in range(2):  # also on the session that came after the first
        way(connection, connection.cursor(), "select 1")
        revoke(box, principal)
        with connection.cursor() as cursor:
            assert cursor.execute("select 2").fetchone()[0] == 2


def test_cursor_of_the_program_counts_on_the_next_session_too(box, principal, connection):
    revoke(box, principal)
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    of_the_program(connection, None, "create temporary view v as select 1")
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
        cursor.execute("select 2")


@pytest.mark.parametrize("begin", [lambda own: own.execute("select unnest(range(0, 9)) as n"), Cursor.schemas])
def test_result_of_a_cursor_of_the_program_counts_while_it_has_it(box, principal, connection, begin):
    own = Own(connection, connection.session.backend)
    begin(own)
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
        cursor.execute("select 1")
    assert own.fetchall()


def test_session_on_which_a_cursor_of_the_program_begins_something_is_kept(box, principal, connection, monkeypatch):
    monkeypatch.setattr(connection._bystanders, "are_running", lambda: True)
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
        cursor.execute("select 1")


def test_statement_of_another_cursor_after_our_last_look_keeps_its_session(box, principal, connection, monkeypatch):
    look, old = connection._is_used_beside, connection.connection
    own, looks = old.cursor(), []

    def begins_after_it(cursor):
        looks.append(look(cursor))
        if len(looks) == 2:  # the last one
            with contextlib.suppress(sql.exc.RequestError):  # a session keeps its token, but not of older connectors
                own.execute("select 7")
        return looks[-1]

    monkeypatch.setattr(connection, "_is_used_beside", begins_after_it)
    revoke(box, principal)
    with connection.cursor() as cursor, pytest.raises(sql.exc.RequestError):
        cursor.execute("select 1")
    assert looks == [False, False]
    assert connection.connection is old


def test_cursor_of_the_program_that_is_gone_blocks_no_renewal(box, principal, connection):
    own = Own(connection, connection.session.backend)
    own.execute("select 1")
    del own
    gc.collect()
    revoke(box, principal)
    with connection.cursor() as cursor:
        assert cursor.execute("select 2").fetchone()[0] == 2


def test_cursor_that_was_closed_stays_closed_on_a_new_session(box, principal, connection):
    closed, idle = connection.cursor(), connection.cursor()
    closed.arraysize = 7
    closed.close()
    fetch = idle.fetchone  # read before, as a loop does
    revoke(box, principal)
    idle.execute("select 1")
    assert (closed.open, closed.arraysize) == (False, 7)
    with pytest.raises(sql.exc.InterfaceError, match="closed cursor"):
        closed.execute("select 2")
    assert fetch()[0] == 1
