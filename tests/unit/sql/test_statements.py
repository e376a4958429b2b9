"""Which statements are plainly reads, and which refusals say that nothing was started."""

import time

import pytest
from databricks.sql.exc import RequestError

from lakekey.sql.statements import is_plain_read, started_nothing

READS = [
    "select 1",
    "SELECT 1;",
    " \t\n\rSelect\n1 ; ;\n",
    "(select 1) union (select 2)",
    "( -- which\n select 1)",
    "-- why\nselect 1",
    "-- why\r\nselect 1",
    "/* why */ select 1",
    "/**/select/**/1",
    "/* a */ /* b */ -- c\n/* d */ show tables",
    "values (1)",
    "describe t",
    "DESC t",
    "explain select 1",
    "select/**/1",
]

OTHERS = [
    "",
    ";",
    "--",
    "/* select 1",
    "-- select 1",
    "selected",
    "select_1",
    "use x",
    "set a = 1",
    "create temporary view v as select 1",
    "create /* c */ temporary view v as select 1",
    "create or replace -- c\ntemp view v as select 1",
    "execute immediate 'use x'",
    "cache table t",
    "add jar '/x.jar'",
    "insert into t values (1)",
    "with x as (select 1) insert into t select * from x",
    "select 1; use x",
    "select 1; -- the end",
    "begin",
    "\u017felect 1",
    # Spark goes on with a comment after a backslash, and nests comments.
    "-- why \\\nselect 1\nuse x",
    "/* /* */ select 1 */ use x",
    "/*/* */ select 1 */ use x",
    # Whether a lone carriage return ends a comment is the server's to say.
    "-- why\ruse x\nselect 1",
    "-- why\rselect 1\nuse x",
    # A query that acts on another system.
    "select http_request(conn => 'a', method => 'POST', path => '/orders')",
    "select * from REMOTE_QUERY('a', query => 'delete from t returning *')",
    "select ai_query('an-agent', 'order it')",
    "select reflect('a.Class', 'order')",
    "select java_method('a.Class', 'order')",
    "select identifier('http_' || 'request')(conn => 'a')",
    None,
    b"select 1",
]


@pytest.mark.parametrize("statement", READS)
def test_plain_reads_are_named_by_their_first_word(statement):
    assert is_plain_read(statement)


@pytest.mark.parametrize("statement", OTHERS)
def test_anything_else_may_leave_something_in_the_session(statement):
    assert not is_plain_read(statement)


@pytest.mark.parametrize(
    "part",
    [
        "/* c */ ",
        "/*",
        "*/",
        "/* /* ",
        "-- c\n",
        "--",
        "- ",
        "\n",
        "(",
        ";",
        "; ",
        "/",
        "select ",
        "/* c */ -- c\n",
        "\\\n",
    ],
)
@pytest.mark.parametrize("end", ["select 1", "", ";", "/*"])
def test_time_is_linear_in_the_length_of_the_statement(part, end):
    def took(times):
        statement = part * times + end
        # This thread's own time, three times: a loaded machine takes the processor away in between.
        for _ in range(3):
            began = time.thread_time()
            is_plain_read(statement)
            yield time.thread_time() - began

    next(took(1000))
    # A square would be 400 times as much, and twenty times as long is what is right.
    longest = 200 * max(min(took(10_000)), 0.0005)
    assert any(seconds < longest for seconds in took(200_000))


def refusal(method, attempt="1/30"):
    return RequestError("no", {"http-code": 401, "method": method, "attempt": attempt})


@pytest.mark.parametrize("method", ["OpenSession", "ExecuteStatement", "GetTables"])
def test_refused_start_has_started_nothing(method):
    assert started_nothing(refusal(method))


@pytest.mark.parametrize("method", ["GetOperationStatus", "FetchResults", "CloseOperation", "CancelOperation", None])
def test_refusal_of_another_call_says_nothing(method):
    assert not started_nothing(refusal(method))


def test_start_that_was_sent_before_may_have_run_then():
    assert not started_nothing(refusal("ExecuteStatement", "2/30"))


def test_error_without_a_context_says_nothing():
    assert not started_nothing(ValueError())
    assert not started_nothing(RequestError("no"))
