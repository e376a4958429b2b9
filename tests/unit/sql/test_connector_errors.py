"""What an error of the connector means."""

from types import SimpleNamespace

import pytest
from databricks.sql.exc import NotSupportedError, RequestError

from lakekey.errors import LockTimeout, LoginRequired, TokenRefused
from lakekey.sql.connector_errors import explained, kernel_refusal, refused, typed, unwrap


def test_error_of_ours_is_found_wherever_the_connector_keeps_it():
    ours = LoginRequired("sign in")
    caused, raised_during = RuntimeError(), RuntimeError()
    caused.__cause__, raised_during.__context__ = ours, ours
    for error in (
        ours,
        RequestError("no", {"original-exception": ours}),
        RuntimeError("no", ours),
        caused,
        raised_during,
    ):
        assert unwrap(error) is ours
        assert unwrap(RuntimeError(error)) is ours


def test_error_that_is_its_own_cause_is_looked_at_once():
    error, other = RuntimeError(), RuntimeError()
    error.__cause__, other.__cause__ = other, error
    assert unwrap(error) is None


def test_refusal_that_we_have_explained_is_not_an_error_of_ours():
    refusal = RequestError("no", {"http-code": 401, "method": "OpenSession"})
    found = explained(refusal, "prod", renewed=True)
    assert found is refusal
    assert unwrap(found) is None
    assert isinstance(found.__cause__, TokenRefused)


@pytest.mark.parametrize(
    ("call", "batch", "said"),
    [
        ("OpenSession", False, "the server refused the token at OpenSession: the statement has not run"),
        ("FetchResults", False, "the server refused the token at FetchResults, after the statement was begun"),
        ("ExecuteStatement", True, "in the course of a batch: a part of it may have run"),
    ],
)
@pytest.mark.parametrize("renewed", [False, True])
def test_refusal_is_explained_by_the_call_that_was_refused(call, batch, said, renewed):
    refusal = RequestError("no", {"http-code": 401, "method": call, "attempt": "1/30"})
    options = {"batch": True} if batch else {}
    ours = explained(refusal, "prod", renewed=renewed, **options).__cause__
    assert said in ours.message
    assert ("connect again" in ours.hint) is renewed
    assert ("lack rights" in ours.hint) is not renewed
    assert ours.profile == "prod"


def test_cause_of_a_refusal_is_kept_behind_ours():
    first = RuntimeError("first")
    refusal = RequestError("no", {"http-code": 401})
    refusal.__cause__ = first
    assert explained(refusal, None, renewed=False).__cause__.__cause__ is first


@pytest.mark.parametrize(("code", "is_refused"), [(401, True), (403, True), (400, False), (404, False), (503, False)])
def test_401_and_403_are_refusals(code, is_refused):
    assert refused(RequestError("no", {"http-code": code})) is is_refused
    assert not refused(RequestError("no", None))
    assert not refused(RuntimeError("no"))


def test_code_of_an_earlier_answer_is_not_a_refusal():
    context = {"http-code": 401}
    for origin in (OSError(), RequestError("inner")):
        assert not refused(RequestError("no", context, None, origin))
        caused = RequestError("no", context)
        caused.__cause__ = RuntimeError(origin)
        assert not refused(caused)


class OfTheWarehouse(Exception):
    """How newer connectors mark the warehouse's refusal."""

    SQL_STATE = "KP001"


@pytest.mark.parametrize("old", [LoginRequired("over"), OfTheWarehouse("thrift is not served")])
def test_error_that_the_program_is_handling_is_not_taken_for_the_connectors(old):
    def fail(*args):
        try:
            {}["inside the connector"]
        except KeyError:
            raise RequestError("no such table", *args)  # noqa: B904 - as the connector does

    def fail_before():
        raise old

    try:
        fail_before()
    except Exception as handled:
        with pytest.raises(RequestError, match="no such table") as caught:
            typed(fail)
        assert kernel_refusal(caught.value, SimpleNamespace(name="prod"), asked=False, handled=handled) is None
        ours = LockTimeout("now")
        with pytest.raises(LockTimeout, match="now"):
            typed(lambda: fail({"original-exception": ours}))


@pytest.mark.parametrize("error", [OfTheWarehouse("thrift is not served"), RuntimeError("SQLSTATE: KP001")])
def test_refusal_of_thrift_is_known_by_its_mark_and_by_its_text(error):
    target = SimpleNamespace(name="prod")
    assert "fixed_token=True" in kernel_refusal(error, target, asked=False).hint
    assert kernel_refusal(RuntimeError("another"), target, asked=False) is None


@pytest.mark.parametrize(
    ("error", "is_known", "is_missing"),
    [
        (ImportError("use_kernel=True needs another package"), True, True),
        (NotSupportedError("use_kernel=True takes no credentials provider"), True, False),
        (ImportError("another module"), False, False),
        (RuntimeError("use_kernel=True"), False, False),
    ],
)
def test_refusal_of_the_kernel_says_what_to_install_where_the_kernel_is_missing(error, is_known, is_missing):
    target = SimpleNamespace(name="prod")
    found = kernel_refusal(error, target, asked=True)
    assert (found is not None) is is_known
    if found is not None:
        assert found.message == "the connector's kernel takes no credentials provider"
        assert ("pip install 'databricks-sql-connector[kernel]'" in found.hint) is is_missing
        assert "this warehouse refuses" in kernel_refusal(error, target, asked=False).message
    assert "pip" not in kernel_refusal(RuntimeError("KP001", ImportError("another")), target, asked=False).hint
