"""A warehouse refuses a token: what databricks-sql-connector's statements do then, and do not do twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from databricks import sql
from databricks.sql.client import Connection, Cursor

import lakekey
from lakekey.sql.connector_errors import refused
from support.waiting import until

SLOW_INSERT = (
    "insert into written select sum(a.n * b.n % 7) from (select unnest(range(0, 90000)) as n) a, "
    "(select unnest(range(0, 30000)) as n) b"
)


def refuse_call(box, number):
    """Has the server refuse one call to the warehouse, counted from the next one as 0."""
    if number:
        box.fault("sql", times=number)  # these pass
    box.fault("sql", status=401)


def revoke(box, provider):
    box.revoke(token=provider.token().access_token)


def test_running_statement_is_never_sent_again(box, principal, connection, written):
    before = box.counters["statements"]
    refuse_call(box, 1)  # the poll for its state
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as cursor:
        cursor.execute(SLOW_INSERT)
    assert caught.value.context["method"] == "GetOperationStatus"
    ours = caught.value.__cause__
    assert isinstance(ours, lakekey.TokenRefused)
    assert ours.message == (
        "the server refused the token at GetOperationStatus, after the statement was begun: it may have run"
    )
    assert ours.hint == "connect again: a new connection has a new token"
    assert ours.profile == box.host
    assert box.counters["statements"] == before + 1
    assert box.counters["token.requests"] == 2, "the next connection has a new token"
    assert written() <= 1


def test_statement_that_was_not_started_is_sent_again_once(box, principal, connection, written):
    revoke(box, principal)
    with connection.cursor() as cursor:
        cursor.execute("insert into written values (1)")
    assert written() == 1


def test_statement_in_the_handler_of_an_error_of_ours_is_sent_again_all_the_same(box, principal, connection, written):
    revoke(box, principal)
    try:
        raise lakekey.LockTimeout("old")
    except lakekey.LakekeyError:
        with connection.cursor() as cursor:
            cursor.execute("insert into written values (1)")
            with pytest.raises(sql.exc.Error, match="no_such_table"):
                cursor.execute("select * from no_such_table")
    assert written() == 1


def test_new_session_that_cannot_be_used_is_closed(box, principal, connection, monkeypatch):
    def refuse(_connection, _value):
        raise ValueError("it takes no label")

    connection.label = "ours"
    kind, old = type(connection.connection), connection.connection
    closed, close = [], kind.close
    monkeypatch.setattr(kind, "close", lambda each: (closed.append(each), close(each)))
    monkeypatch.setattr(kind, "label", property(fset=refuse), raising=False)
    revoke(box, principal)
    with pytest.raises(ValueError, match="no label"), connection.cursor() as cursor:
        cursor.execute("select 1")
    assert len(closed) == 1
    assert closed[0] is not old


def test_new_token_that_has_served_a_statement_is_replaced_when_it_is_refused(box, principal, connection):
    for expected in (2, 3, 4):
        revoke(box, principal)
        with connection.cursor() as cursor:
            assert cursor.execute("select 1").fetchone()[0] == 1
        assert box.counters["token.requests"] == expected


def test_statement_that_is_refused_twice_says_that_it_has_not_run(box, principal, connection, written):
    box.fault("sql", status=401)  # the statement, but neither the new session nor the end of the old one
    box.fault("sql", times=2)
    box.fault("sql", status=401)
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as cursor:
        cursor.execute("insert into written values (1)")
    assert caught.value.__cause__.message == (
        "the server refused the token at ExecuteStatement: the statement has not run, and was not sent again"
    )
    assert "lack rights" in caught.value.__cause__.hint
    assert box.counters["token.requests"] == 2
    assert written() == 0


def test_new_session_that_is_refused_as_well_says_that_nothing_has_run(box, principal, connection, written):
    box.fault("sql", status=401, times=2)  # the statement, and the session that it would be sent again on
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as cursor:
        cursor.execute("insert into written values (1)")
    assert caught.value.context["method"] == "OpenSession"
    assert isinstance(caught.value.__cause__, lakekey.TokenRefused)
    assert "the statement has not run" in caught.value.__cause__.message
    assert written() == 0


@pytest.mark.parametrize("kind", [list, iter], ids=["list", "iterator"])
def test_batch_is_never_sent_again(box, principal, connection, written, kind):
    refuse_call(box, 2)  # one insert and its close have passed
    rows = kind([[number] for number in range(7)])
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as cursor:
        cursor.executemany("insert into written values (?)", rows)
    assert "a part of it may have run" in caught.value.__cause__.message
    assert written() < 7


def test_batch_whose_first_statement_is_refused_is_not_sent_again(box, principal, connection, written):
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
        cursor.executemany("insert into written values (?)", [[1], [2]])
    assert written() == 0


@pytest.mark.parametrize("read", ["rows", "fetchone", "fetchall_arrow"])
def test_other_cursor_gets_all_rows_or_an_error(box, principal, connection, read):
    reader = connection.cursor(arraysize=1000)
    reader.execute("select unnest(range(0, 5000)) as n")
    seen = [reader.fetchone()]
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError) as caught, connection.cursor() as writer:
        writer.execute("select 1")
    assert "has not run" in caught.value.__cause__.message
    try:
        if read == "rows":
            seen += reader
        elif read == "fetchone":
            while (row := reader.fetchone()) is not None:
                seen.append(row)
        else:
            seen += reader.fetchall_arrow().to_pylist()
    except sql.exc.RequestError as error:
        assert isinstance(error.__cause__, lakekey.TokenRefused)
    else:
        assert len(seen) == 5000


def test_statement_that_another_thread_has_begun_keeps_its_session(box, principal, connection):
    reader, other = connection.cursor(arraysize=1000), connection.cursor()
    box.fault("sql", delay=1.0)
    box.fault("sql", status=401)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.execute, "select unnest(range(0, 5000)) as n")
        until(lambda: box.faults_left == 1)  # the server has the reader's call, which so has the connection's lock
        with pytest.raises(sql.exc.RequestError) as caught:
            other.execute("select 1")
        reading.result(60)
    assert "was not sent again" in caught.value.__cause__.message
    assert len(reader.fetchall()) == 5000


@pytest.mark.parametrize("statement", ["select unnest(range(0, 5000)) as n", "create temporary view v as select 1"])
def test_statement_that_another_thread_begins_meanwhile_keeps_its_session(box, principal, connection, statement):
    first, other = connection.cursor(), connection.cursor(arraysize=1000)
    box.fault("sql", delay=0.5, status=401)
    box.fault("token", delay=0.2)
    box.fault("sql", delay=0.7)  # the other statement is still under way when the first one could have a new session
    with ThreadPoolExecutor(1) as pool:
        refused_later = pool.submit(first.execute, "select 1")
        until(lambda: box.faults_left <= 2)  # the server has the first cursor's call
        other.execute(statement)  # waits for the connector's lock, which the first cursor's call holds
        with pytest.raises(sql.exc.RequestError) as caught:
            refused_later.result(60)
    assert "was not sent again" in caught.value.__cause__.message
    if statement.startswith("select"):
        assert len(other.fetchall()) == 5000
    else:
        assert other.execute("select * from v").fetchone()[0] == 1


def test_connection_that_is_closed_meanwhile_stays_closed(box, principal, connection, monkeypatch):
    box.fault("sql", status=401)
    monkeypatch.setattr(connection, "_carry_over", lambda replacement: connection.connection.close())
    with pytest.raises(sql.exc.RequestError), connection.cursor() as cursor:
        cursor.execute("select 1")
    assert not connection.open


def test_result_of_a_cursor_made_by_the_connector_itself_counts_too(box, principal, connection):
    reader = connection.connection.cursor(arraysize=1000)
    reader.execute("select unnest(range(0, 5000)) as n")
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as other:
        other.execute("select 1")
    assert connection.connection.open


def test_closed_or_idle_cursor_blocks_no_renewal(box, principal, connection):
    idle = connection.cursor()
    with connection.cursor() as reader:
        reader.execute("select unnest(range(0, 5000)) as n")
    revoke(box, principal)
    with idle, connection.cursor() as other:
        assert other.execute("select 2").fetchone()[0] == 2


def test_asynchronous_statement_of_another_cursor_keeps_its_session(box, principal, connection):
    waiting = connection.cursor()
    waiting.execute_async("select 3")
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError), connection.cursor() as other:
        other.execute("select 1")


def test_refusal_while_an_asynchronous_statement_is_asked_for_says_that_it_may_have_run(box, principal, connection):
    with connection.cursor() as cursor:
        cursor.execute_async("select 3")
        revoke(box, principal)
        with pytest.raises(sql.exc.RequestError) as caught:
            cursor.get_async_execution_result()
    assert "it may have run" in caught.value.__cause__.message


def test_refusal_while_rows_are_fetched_is_raised_and_the_token_replaced(box, principal, connection):
    cursor = connection.cursor(arraysize=1000)
    cursor.execute("select unnest(range(0, 5000)) as n")
    revoke(box, principal)
    with pytest.raises(sql.exc.RequestError) as caught:
        cursor.fetchall()
    assert caught.value.context["method"] == "FetchResults"
    assert isinstance(caught.value.__cause__, lakekey.TokenRefused)
    assert box.counters["token.requests"] == 2
    assert cursor.execute("select 4").fetchone()[0] == 4, "nothing hangs on the session but the cursor's own result"


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace table kept (n int)",
        "create /* c */ temporary view v as select 1 as one",
        "create or replace -- c\ntemp view v as select 1 as one",
        "set ansi_mode = true",
        "select 1; set ansi_mode = true",
        "this is not a statement",
    ],
)
def test_what_is_not_plainly_a_read_keeps_its_session(box, principal, connection, statement):
    with connection.cursor() as cursor:
        with suppress(sql.exc.ServerOperationError):  # it may have had its effect before it failed
            cursor.execute(statement)
        revoke(box, principal)
        before, log = box.counters["statements"], len(box.log)
        with pytest.raises(sql.exc.RequestError) as caught:
            cursor.execute("select 1")
        asked = [record.status for record in box.log[log:] if record.route == "sql"]
    assert "was not sent again" in caught.value.__cause__.message
    assert box.counters["statements"] == before
    assert set(asked) == {401}, "no other session was opened for it"


def test_metadata_calls_leave_nothing_behind_and_are_sent_again(box, principal, connection):
    with connection.cursor() as cursor:
        cursor.schemas()
        revoke(box, principal)
        assert cursor.tables().fetchall() is not None


def test_refusal_of_an_earlier_call_is_not_mistaken_for_one_of_a_call_without_an_answer():
    """The connector names the status of the last answer, also if this call had none."""
    context = {"http-code": 401, "method": "ExecuteStatement", "attempt": "1/30"}
    assert refused(sql.exc.RequestError("refused", context, None, EOFError()))
    assert not refused(sql.exc.RequestError("cut", context, None, ConnectionResetError()))
    slow = sql.exc.MaxRetryDurationError("too long")
    assert not refused(sql.exc.RequestError("503 for too long", context, None, slow))


def test_many_refusals_cost_one_exchange(box, principal):
    box.fault("sql", status=403, times=None)
    for _ in range(10):
        with pytest.raises(sql.exc.RequestError) as caught:
            lakekey.sql.connect(principal, enable_telemetry=False)
    assert "lack rights" in caught.value.__cause__.hint
    assert box.counters["token.requests"] == 2


def test_why_a_refused_token_cannot_be_replaced_comes_out_where_a_connection_is_opened(box, principal):
    principal.headers()
    box.fault("sql", status=401)
    box.fault("token", status=401, body={"error": "invalid_client"})
    with pytest.raises(lakekey.CredentialsRefused):
        lakekey.sql.connect(principal, enable_telemetry=False)


def test_attributes_reach_the_connectors_connection_and_outlive_its_session(box, principal, connection):
    cursor = connection.cursor()
    cursor.connection.lz4_compression = False
    cursor.buffer_size_bytes = 12345
    cursor.arraysize = 7
    first = connection.connection
    revoke(box, principal)
    cursor.execute("select * from range(10)")
    assert connection.connection is not first, "it was sent again on a new session"
    assert not first.open
    assert not first.lz4_compression
    assert not connection.connection.lz4_compression
    assert not cursor.active_result_set.lz4_compressed
    assert (cursor.cursor.buffer_size_bytes, cursor.cursor.arraysize) == (12345, 7)


@pytest.mark.parametrize("way", ["close", "with"])
def test_connection_that_is_closed_is_closed_at_the_server(box, principal, way):
    opened = lakekey.sql.connect(principal, enable_telemetry=False)
    if way == "close":
        opened.close()
    else:
        with opened:
            pass
    assert not opened.open
    with pytest.raises(sql.exc.Error):
        opened.cursor()


def test_connection_that_fails_for_another_reason_is_not_tried_again(box, principal):
    with pytest.raises(sql.exc.Error) as caught:
        lakekey.sql.connect(principal, http_path="/sql/1.0/warehouses/gone", enable_telemetry=False)
    assert not isinstance(caught.value.__cause__, lakekey.TokenRefused)
    assert box.counters["token.requests"] == 1
    assert sum(record.route == "sql" for record in box.log) == 1


def test_new_session_that_fails_for_another_reason_says_so(box, principal, connection):
    box.fault("sql", status=401)
    box.fault("sql", status=400)
    with pytest.raises(sql.exc.Error) as caught, connection.cursor() as cursor:
        cursor.execute("select 1")
    assert caught.value.context["http-code"] == 400
    assert not isinstance(caught.value.__cause__, lakekey.TokenRefused)


def test_what_the_connector_refuses_to_have_set_is_refused(connection):
    with pytest.raises(AttributeError):
        connection.open = False


def test_wrappers_count_as_the_connectors_own_classes(connection):
    assert isinstance(connection, Connection)
    with connection.cursor() as cursor:
        assert isinstance(cursor, Cursor)
        assert cursor.connection is connection
        assert cursor.execute("select 1") is cursor


def test_programs_subclasses_keep_attributes_of_their_own(box, principal):
    from lakekey.sql.connection import Connection as Wrapper

    class Labelled(Wrapper):
        label = "none"

        def __init__(self, *args):
            self.note = "before"
            super().__init__(*args, pass_through=False, fixed_token=False)
            self.label = "prod"

    arguments = lakekey.sql.connect_arguments(principal.target)
    with Labelled(principal, {**arguments, "enable_telemetry": False}) as connection:
        assert (connection.note, connection.label) == ("before", "prod")
        assert not hasattr(connection.connection, "label")
