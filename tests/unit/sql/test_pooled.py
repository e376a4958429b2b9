"""What stands for the connector's connection in a pool."""

from types import SimpleNamespace

import pytest
from databricks.sql.exc import RequestError

from lakekey.errors import LoginRequired
from lakekey.sql.pooled import PooledConnection, PooledCursor


class Signs:
    """What signs in, outside of any renewal."""

    def check(self):
        pass


class NoOther(Signs):
    """What signs in, and has no other token."""

    def renewed(self, *, has_not_run):
        if has_not_run:
            raise LoginRequired("sign in")
        return False


def refuses(call):
    def work(*_):
        raise RequestError("no", {"http-code": 401, "method": call, "attempt": "1/30"})

    return work


def connection():
    return PooledConnection(SimpleNamespace(), NoOther(), SimpleNamespace(name="prod"))


def test_what_a_program_sets_is_set_on_the_connectors_own():
    pooled = connection()
    cursor = PooledCursor(pooled, SimpleNamespace())
    pooled.label, cursor.arraysize = "a", 7
    assert (pooled.connection.label, cursor.cursor.arraysize) == ("a", 7)


def test_with_statement_closes_what_it_was_given():
    closed = []
    pooled = connection()
    pooled.connection.close = lambda: closed.append("connection")
    with pooled as same:
        assert same is pooled
        with PooledCursor(pooled, SimpleNamespace(close=lambda: closed.append("cursor"))):
            assert closed == []
        assert closed == ["cursor"]
    assert closed == ["cursor", "connection"]


class Served(Signs):
    """What signs in, and is told what has served."""

    def __init__(self):
        self.times = 0

    def served(self):
        self.times += 1


@pytest.mark.parametrize(("args", "kwargs"), [(("select 1",), {}), ((), {"operation": "select 1"})])
def test_statement_that_was_run_has_served_its_token(args, kwargs):
    signs = Served()
    pooled = PooledConnection(SimpleNamespace(), signs, SimpleNamespace(name="prod"))
    own = SimpleNamespace(execute=lambda *given, **named: (given, named))
    assert PooledCursor(pooled, own).execute(*args, **kwargs) == (args, kwargs)
    assert signs.times == 1


@pytest.mark.parametrize(
    ("name", "call", "raised"),
    [
        ("execute", "ExecuteStatement", LoginRequired),
        ("execute", "GetOperationStatus", RequestError),
        ("executemany", "ExecuteStatement", RequestError),
    ],
)
def test_why_there_is_no_other_token_is_reported_only_where_nothing_has_run(name, call, raised):
    pooled = connection()
    cursor = PooledCursor(pooled, SimpleNamespace(**{name: refuses(call)}))
    with pytest.raises(raised) as caught:
        getattr(cursor, name)("insert into t values (1)")
    if raised is RequestError:
        assert ("batch" in caught.value.__cause__.message) is (name == "executemany")


def test_refusal_of_another_call_says_nothing_of_a_batch():
    with pytest.raises(RequestError) as caught:
        connection()._call(refuses("FetchResults"))
    assert "batch" not in caught.value.__cause__.message
