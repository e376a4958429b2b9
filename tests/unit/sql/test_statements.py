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
    "/* it's */ select 1",
    "select identifier /* two */* 3 from ids",
    "select /*+ broadcast(t) */ 1 from t",
    "/**/select/**/1",
    "/* a */ /* b */ -- c\n/* d */ show tables",
    "values (1)",
    "describe t",
    "DESC t",
    "explain select 1",
    "select/**/1",
    # The name of a function is not a call of it.
    "select customer_identifier, reflection from t",
    "select identifier from ids",
    "select is_identifier(name) from t",
    "select * from t where note = 'reflect (this)'",
    "select * from t where note = 'it\\'s identifier(x)'",
    r"select r'\', 'identifier(x)'",
    "select 'a''identifier(x)' from t",
    "select 1 -- as identifier(x) does\n from t",
    "select 1 /* as identifier(x) does */ from t",
    "select `it's`, identifier from t where note = 'x('",
    # Neither a function of arrays nor a join is a script.
    "select transform(a, x -> x + 1) from t",
    "select * from t join u using (id) where note = 'x'",
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
    "select `http_request` (conn => 'a')",
    "select system.http_request\n(conn => 'a')",
    "select http_request /* c */ -- d\n /* e */ (conn => 'a')",
    'select "http_request"(conn => 1)',
    "select try_reflect('a.Class', 'order')",
    r"select r'\', http_request(conn => 'a')",
    r"select 'a\\', http_request(conn => 'a')",
    "select `it's`, http_request(conn => 'a')",
    "select 'a' -- it's\n, http_request(conn => 'a')",
    "select a /* it's */, http_request(conn => 'a')",
    # Which of these is a comment or a string is the server's to say.
    "select 1 -- \\\n, http_request(conn => 1)",
    "select 1 /* /* */, http_request(conn => 1) /* */ */",
    "select /*+ x('*/') */ http_request(conn => 'a') -- '",
    "select 'a, http_request(conn => 1)",
    # Rows that go through a program.
    "SELECT TRANSFORM(a) USING 'curl -X POST https://x' AS (b) FROM t",
    'select * from (from t map a using "curl") u',
    "select * from (from t reduce a using /* c */ r'curl') u",
    "select transform(a) using %(command)s as (b) from t",
    "select transform(a) using :command as (b) from t",
    "select transform(a) using ? as (b) from t",
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
    check_time_is_linear(part, end, [1000, 10_000, 200_000])


@pytest.mark.parametrize("part", ["/**/", "'", "'\\'", "`", "--\n", "using "])
def test_time_is_linear_behind_the_name_of_a_function_that_acts(part):
    check_time_is_linear(part, "", [1000, 1000, 20_000], begin="select reflect ")


def check_time_is_linear(part, end, often, *, begin=""):
    first, some, many = often

    def took(times):
        statement = begin + part * times + end
        # This thread's own time, three times: a loaded machine takes the processor away in between.
        for _ in range(3):
            began = time.thread_time()
            is_plain_read(statement)
            yield time.thread_time() - began

    next(took(first))
    # A square would be 400 times as much, and twenty times as long is what is right.
    longest = 200 * max(min(took(some)), 0.0005)
    assert any(seconds < longest for seconds in took(many))


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
