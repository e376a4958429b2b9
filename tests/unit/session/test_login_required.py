"""The error of a missing sign-in."""

import types

from lakekey.cache.entry import Entry, Failure
from lakekey.configuration.target import resolve
from lakekey.session.login_required import login_required

TARGET = resolve(environ={}, host="https://dbc.cloud.databricks.com")


def test_end_of_a_session_says_why_and_names_the_command():
    ended = Entry({}, refused=Failure("login_required", "the session is over (revoked)", 1.0))
    error = login_required(TARGET, ended)
    assert error.message == "the session is over (revoked)"
    assert error.hint == "run: lakekey login --host https://dbc.cloud.databricks.com"
    assert error.url is None


def test_missing_sign_in_names_the_command_or_the_portal():
    assert "not signed in" in login_required(TARGET, None).message
    assert "not signed in" in login_required(TARGET, Entry({})).message
    target = types.SimpleNamespace(user="ada@example.com", connect_url="https://portal/connect", name="dbc")
    error = login_required(target, None)
    assert error.message == "ada@example.com is not connected"
    assert error.hint == "ada@example.com connects at https://portal/connect"
    assert error.url == "https://portal/connect"


def test_person_signed_in_by_a_portal_is_told_where_to_look():
    ada = resolve(environ={}, host="https://dbc.cloud.databricks.com", user="ada@example.com")
    assert "where a portal signs ada@example.com in, set LAKEKEY_STORE" in login_required(ada, None).hint
    assert "portal" not in login_required(ada, Entry({})).hint
    assert "portal" not in login_required(TARGET, None).hint
