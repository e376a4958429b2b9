"""The connector's own attempts at a statement: which of them it may follow by another one."""

from types import SimpleNamespace

import pytest
from databricks.sql.auth.retry import CommandType, DatabricksRetryPolicy
from databricks.sql.exc import RequestError, UnsafeToRetryError
from urllib3.exceptions import ConnectTimeoutError, ProtocolError, ReadTimeoutError, SSLError

from lakekey.sql.attempts import counted, watched

BROKEN = [ProtocolError("gone"), ReadTimeoutError(None, "/", "slow"), SSLError("cut")]


def policy_of(connection, command=CommandType.EXECUTE_STATEMENT):
    policy = watched(connection).session.backend.retry_policy
    policy.command_type = command
    policy.start_retry_timer()
    return policy


def connection(kind=DatabricksRetryPolicy):
    policy = kind(
        delay_min=1, delay_max=1, stop_after_attempts_count=5, stop_after_attempts_duration=60, delay_default=1,
        force_dangerous_codes=[], urllib3_kwargs={},
    )  # fmt: skip
    return SimpleNamespace(session=SimpleNamespace(backend=SimpleNamespace(retry_policy=policy)))


def refused(attempt="1/30"):
    return RequestError("no", {"http-code": 401, "method": "ExecuteStatement", "attempt": attempt})


@pytest.mark.parametrize("error", BROKEN)
def test_statement_that_broke_off_is_not_followed_by_another_attempt(error):
    policy = policy_of(connection())
    with pytest.raises(RequestError) as caught, counted(repeatable=False):
        try:
            policy.increment("POST", "/sql", None, error)
        except UnsafeToRetryError as lost:
            raise RequestError("Error during request to server", {}, None, lost) from None
    assert "may have run" in str(caught.value.__cause__)
    assert caught.value.__cause__ is caught.value.args[-1]


@pytest.mark.parametrize("error", BROKEN)
def test_read_that_broke_off_is(error):
    with pytest.raises(RequestError) as caught, counted(repeatable=True):
        policy_of(connection()).increment("POST", "/sql", None, error).increment("POST", "/sql", None, error)
        raise refused()
    assert caught.value.context["attempt"] == "3/30"
    assert caught.value.__cause__ is None


def test_attempts_are_counted_where_the_connector_knows_of_no_cause():
    with pytest.raises(RequestError) as caught, counted(repeatable=True):
        policy_of(connection()).increment("POST", "/sql", None, BROKEN[0])
        raise RequestError("no", {"attempt": "1/30"}, None, None)
    assert caught.value.args == ("no", None)
    assert caught.value.context["attempt"] == "2/30"


def test_lost_answer_is_the_cause_of_its_own_error_only():
    with pytest.raises(RequestError) as caught, counted(repeatable=False):
        with pytest.raises(UnsafeToRetryError):
            policy_of(connection()).increment("POST", "/sql", None, BROKEN[0])
        raise RequestError("another")
    assert caught.value.__cause__ is None


def test_attempt_that_could_not_be_sent_does_not_count():
    with pytest.raises(RequestError) as caught, counted(repeatable=False):
        policy_of(connection()).increment("POST", "/sql", None, ConnectTimeoutError("away"))
        raise refused()
    assert caught.value.context["attempt"] == "1/30"


def test_what_begins_no_statement_is_left_to_the_connector():
    policy = policy_of(connection(), CommandType.GET_OPERATION_STATUS)
    with pytest.raises(RequestError) as caught, counted(repeatable=False):
        policy.increment("POST", "/sql", None, BROKEN[0])
        raise refused()
    assert caught.value.context["attempt"] == "1/30"


def test_what_the_connectors_own_cursor_begins_is_left_to_it():
    with counted(repeatable=False):
        pass
    policy_of(connection()).increment("POST", "/sql", None, BROKEN[0])


def test_error_without_a_context_stays_as_it_is():
    with pytest.raises(RequestError) as caught, counted(repeatable=True):
        policy_of(connection()).increment("POST", "/sql", None, BROKEN[0])
        raise RequestError("no", {})
    assert caught.value.context == {}


def test_policy_that_is_not_known_stays_as_it_is():
    class Another(DatabricksRetryPolicy):
        pass

    assert type(watched(connection(Another)).session.backend.retry_policy) is Another
    assert watched(SimpleNamespace()) == SimpleNamespace()
    none = SimpleNamespace(session=SimpleNamespace(backend=SimpleNamespace(retry_policy=0)))
    assert watched(none).session.backend.retry_policy == 0


def test_error_that_another_was_raised_from_has_the_number_of_attempts_too():
    with pytest.raises(RequestError) as caught, counted(repeatable=True):
        policy_of(connection()).increment("POST", "/sql", None, BROKEN[0])
        raise RequestError("of the commit", {}) from refused()
    assert caught.value.__cause__.context["attempt"] == "2/30"
