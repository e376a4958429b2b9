"""Foreign code runs in the midst of a connection's own steps: it waits for no thread that may wait for it."""

import sys
import threading

import pytest
import sqlalchemy as sa

import lakekey
from lakekey._inside_work import as_work
from support.programs.struck_at import expire


@pytest.fixture
def other(principal):
    """A second connection."""
    with lakekey.sql.connect(principal, enable_telemetry=False) as connection:
        yield connection


def calls(box):
    return sum(record.route == "sql" for record in box.log)


def strike(function, code):
    """Runs the code once, in the first function that the named one calls."""

    def hook(frame, event, _):
        if event == "call" and frame.f_back is not None and frame.f_back.f_code.co_name == function:
            sys.setprofile(None)
            code()

    sys.setprofile(hook)


def test_code_that_interrupts_a_connection_waits_for_no_thread_at_another_one(connection, other):
    held, free = threading.Event(), threading.Event()

    def hold():
        with other._step():
            held.set()
            free.wait(60)

    def interrupt():
        held.wait(60)
        with pytest.raises(lakekey.LockTimeout, match="another thread is using this connection"):
            other.cursor()
        free.set()

    thread = threading.Thread(target=hold)
    thread.start()
    strike("_is_used_beside", interrupt)
    try:
        with connection.cursor() as cursor:
            assert cursor.execute("select 1").fetchone()[0] == 1
    finally:
        sys.setprofile(None)
        free.set()
        thread.join()
    other.cursor().close()


def test_cursors_that_are_made_in_the_midst_of_a_look_at_them_do_no_harm(connection):
    made = [connection.cursor()]
    strike("_cursors_in_use", lambda: made.extend(connection.cursor() for _ in range(50)))
    try:
        with connection.cursor() as cursor:
            assert cursor.execute("select 1").fetchone()[0] == 1
    finally:
        sys.setprofile(None)
    assert len(made) == 51


def test_statement_of_code_inside_a_renewal_gets_an_error_at_once(box, principal, connection):
    """The connector has a lock over each request, which a thread that waits for the renewal may hold."""
    engine = lakekey.sqlalchemy.create_engine(principal, connect_args={"enable_telemetry": False})
    with engine.connect() as pooled, connection.cursor() as cursor:
        pooled.execute(sa.text("select 1"))
        expire(principal)
        before = calls(box)
        with as_work():
            for ask in (
                lambda: cursor.execute("select 1"),
                lambda: pooled.execute(sa.text("select 1")),
                connection.commit,
            ):
                with pytest.raises(lakekey.LockTimeout, match="asked from inside a renewal"):
                    ask()
        assert calls(box) == before
        assert cursor.execute("select 1").fetchone()[0] == 1
    engine.dispose()
