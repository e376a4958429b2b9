"""What a notebook looks for first: `lakekey.login`, `logout`, `sessions`, `profiles`, and how a provider shows."""

import asyncio
import os
import sys
import types

import pytest

import lakekey

ADA = "ada@example.com"


@pytest.fixture
def box(unnamed_workspace, monkeypatch, tmp_path):
    box = unnamed_workspace
    (tmp_path / "databrickscfg").write_text(f"[me]\nhost = {box.host}\n[broken]\nhost = ftp://x\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    return box


def test_a_session_from_login_to_logout(box):
    provider = lakekey.login("me")
    assert provider.identity() == ADA
    (session,) = lakekey.sessions()
    assert (session.profile, session.host, session.identity, session.state) == ("me", box.host, ADA, "signed in")
    assert lakekey.logout("me") is True
    assert lakekey.sessions() == []
    assert lakekey.logout("me") is False


def test_login_asks_each_time_and_a_provider_does_not(box):
    lakekey.login("me")
    lakekey.provider("me").headers()
    assert box.counters["logins"] == 1
    lakekey.login("me")
    assert box.counters["logins"] == 2


def test_provider_without_a_name_uses_the_only_session(box):
    with pytest.raises(lakekey.ConfigurationError):
        lakekey.provider()
    lakekey.login("me")
    assert lakekey.provider().target.host == box.host
    with pytest.raises(lakekey.ConfigurationError, match="gone"):
        lakekey.provider("gone")


def test_another_person_takes_a_session_over_only_if_told_to(box, monkeypatch):
    lakekey.login("me")
    monkeypatch.setenv("BROWSER", box.person("grace@example.com").command())
    for sign_in in (lambda: lakekey.login("me"), lakekey.provider("me").login):
        with pytest.raises(lakekey.LoginFailed):
            sign_in()
    assert lakekey.provider("me").identity() == ADA
    assert lakekey.login("me", switch=True).identity() == "grace@example.com"


def test_login_is_the_function_whatever_was_imported_before(box):
    import lakekey.login.sign_in

    assert lakekey.login("me").identity() == ADA


def test_profile_that_is_taken_where_none_is_named_is_marked(box, monkeypatch, tmp_path):
    assert [profile.is_default for profile in lakekey.profiles()] == [False, False]
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", " broken ")
    assert [profile.is_default for profile in lakekey.profiles()] == [False, True]
    monkeypatch.delenv("DATABRICKS_CONFIG_PROFILE")
    (tmp_path / "databrickscfg").write_text(f"[me]\nhost = {box.host}\n[DEFAULT]\nhost = {box.host}\n")
    assert {profile.name: profile.is_default for profile in lakekey.profiles()} == {"me": False, "DEFAULT": True}


def test_profiles_are_those_of_the_home_where_no_file_is_named(box, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "databrickscfg").rename(tmp_path / ".databrickscfg")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", " ")
    assert [profile.name for profile in lakekey.profiles()] == ["me", "broken"]


def test_profiles_are_listed_with_what_is_wrong(box):
    good, broken = lakekey.profiles()
    assert (good.name, good.host, good.auth_type, good.problem) == ("me", box.host, "external-browser", None)
    assert (broken.name, broken.host) == ("broken", None)
    assert "ftp://x" in broken.problem


def test_provider_shows_who_and_until_when_and_no_token(box):
    provider = lakekey.provider("me")
    assert "signed out" in provider._repr_html_()
    lakekey.login("me")
    shown = provider._repr_html_()
    assert ADA in shown
    assert "token until" in shown
    assert provider.token().access_token not in shown


def test_provider_of_a_service_principal_shows_which_before_its_first_token(box):
    provider = lakekey.provider(host=box.host, client_id=box.client_id, client_secret=box.client_secret)
    before = provider._repr_html_()
    assert provider.identity() == box.client_id
    assert box.client_id in before
    assert "signs in by itself" in before
    provider.token()
    assert provider.identity() == box.client_id
    assert "token until" in provider._repr_html_()


def test_what_is_shown_is_escaped():
    shown = lakekey.provider(host="https://dbc.cloud.databricks.com", auth_type="pat", token="dapi-secret")
    assert "dapi-secret" not in shown._repr_html_()
    assert (
        "<script>"
        not in lakekey.provider(
            host="https://dbc.cloud.databricks.com", client_id="<script>", client_secret="dose-secret"
        )._repr_html_()
    )


def test_traceback_in_a_notebook_ends_with_the_sentence_and_has_no_frame_of_ours():
    try:
        lakekey.provider(host="ftp://x")
    except lakekey.ConfigurationError as error:
        *frames, sentence = error._render_traceback_()
    assert sentence.startswith("ConfigurationError: host")
    assert [frame for frame in frames if "/src/lakekey/" in frame] == []
    assert any("test_notebook_names.py" in frame for frame in frames)


class Notebook:
    """As much of IPython as knows which cell a line is of."""

    compile = None

    def format_code_name(self, name):
        return ("Cell", "In[7]") if name == CELL else None


CELL = "/tmp/ipykernel_1/123.py"


@pytest.fixture
def notebook(monkeypatch):
    Notebook.compile = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=Notebook))


def shown_in_a_cell(code, **names):
    """What a cell shows of the exception that ends it."""
    try:
        exec(compile(code, CELL, "exec"), names)
    except BaseException as error:
        return error._render_traceback_()[2:]  # without the two lines of this function
    pytest.fail("the cell did not raise")


@pytest.mark.filterwarnings("ignore::lakekey.ServicePrincipalMissingWarning")
def test_error_in_a_cell_names_the_cell_and_shows_no_thread_that_is_ours(notebook, box, unattended):
    cell = "asyncio.run(lakekey.provider('me').atoken())"
    *frames, sentence = shown_in_a_cell(cell, lakekey=lakekey, asyncio=asyncio)
    assert frames[0] == "  Cell In[7], line 1"
    assert [frame for frame in frames if "asyncio/threads.py" in frame or "/concurrent/" in frame] == []
    assert sentence.startswith("LoginRequired: me: not signed in")


@pytest.mark.posix_signals
def test_interrupted_sign_in_shows_the_cell_alone(notebook, box, monkeypatch, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\nkill -INT {os.getpid()}\n")
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(browser))
    assert shown_in_a_cell("lakekey.login('me')", lakekey=lakekey) == ["  Cell In[7], line 1", "KeyboardInterrupt"]
