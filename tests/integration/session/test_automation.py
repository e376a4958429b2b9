"""Unattended runs: the service principal where there is one, and never a browser."""

import logging
import os
import subprocess
import sys
import warnings

import pytest

import lakekey
from lakekey import LoginRequired, ServicePrincipalMissingWarning


@pytest.fixture
def box(lakekey_environment, monkeypatch):
    return lakekey_environment


@pytest.fixture
def profiles(box, tmp_path, monkeypatch):
    """A developer's machine: oneself for development, the service principal for production."""
    monkeypatch.delenv("DATABRICKS_HOST")
    (tmp_path / "databrickscfg").write_text(
        f"[dev]\nhost = {box.host}\n"
        f"[prod]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )


def announcements(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "lakekey.automation"]


def test_missing_service_principal_is_warned_of_once_with_its_settings(profiles, ci_job):
    with pytest.warns(ServicePrincipalMissingWarning) as caught:
        lakekey.provider("dev")
        lakekey.provider("dev")
        lakekey.provider("prod")
    (warning,) = caught
    said = str(warning.message)
    assert said.startswith("dev: a CI job should sign in as a service principal")
    assert "client_id and client_secret" in said
    assert "DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET" in said
    assert warning.filename == __file__


def test_without_a_session_a_login_is_required_at_once_and_no_browser_opens(
    box, profiles, ci_job, monkeypatch, tmp_path
):
    opened = tmp_path / "opened"
    monkeypatch.setenv("BROWSER", f"touch {opened}")
    with pytest.warns(ServicePrincipalMissingWarning):
        p = lakekey.provider("dev")
    with pytest.raises(LoginRequired) as caught:
        p.headers()
    assert caught.value.hint == "run: lakekey login dev"
    assert not opened.exists()
    assert box.log == []


def test_a_persons_session_serves_an_unwatched_run(box, profiles, monkeypatch, caplog, person_leaves):
    lakekey.provider("dev").login()
    monkeypatch.setenv("CI", "true")
    person_leaves()
    with pytest.warns(ServicePrincipalMissingWarning), caplog.at_level(logging.INFO, "lakekey.automation"):
        assert lakekey.provider("dev").headers()
    (line,) = announcements(caplog)
    assert "ada@example.com, with a person's session (external-browser)" in line


def test_script_without_a_terminal_warns_only_where_no_session_serves(profiles, monkeypatch):
    program = "import warnings, lakekey\nwarnings.simplefilter('error')\nlakekey.provider('dev')\nprint('no warning')"
    in_a_session_of_its_own = {
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,
        "capture_output": True,
        "text": True,
    }

    def run():
        return subprocess.run([sys.executable, "-c", program], check=False, timeout=60, **in_a_session_of_its_own)

    lakekey.provider("dev").login()
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "auto")
    assert run().stdout == "no warning\n"
    monkeypatch.setenv("CI", "true")  # which says more than the lack of a terminal
    assert "ServicePrincipalMissingWarning: dev: a CI job" in run().stderr
    monkeypatch.delenv("CI")
    lakekey.provider("dev").logout()
    assert "ServicePrincipalMissingWarning: dev: a run without a terminal" in run().stderr


def test_scheduled_run_reports_its_identity_once(box, profiles, ci_job, caplog):
    p = lakekey.provider("prod")
    with caplog.at_level(logging.INFO, "lakekey.automation"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            p.headers()
        p.invalidate(p.token().access_token)
    assert announcements(caplog) == [f"prod: a CI job signs in to {box.host} as {box.client_id} (oauth-m2m)"]


def test_nothing_is_announced_where_a_person_watches(box, profiles, caplog):
    with caplog.at_level(logging.INFO, "lakekey.automation"):
        lakekey.provider("prod").headers()
    assert announcements(caplog) == []


def test_two_profiles_of_one_workspace_are_two_identities(box, profiles):
    assert lakekey.provider("dev").login().access_token != lakekey.provider("prod").token().access_token
    assert lakekey.provider("dev").identity() == "ada@example.com"
    assert (box.counters["logins"], box.counters["token.client_credentials"]) == (1, 1)


def test_a_cold_start_on_a_warm_cache_loads_none_of_what_is_slow(box, profiles, ci_job):
    lakekey.provider("prod").headers()
    box.reset_log()
    slow = [
        "requests",
        "urllib3",
        "ssl",
        "filelock",
        "keyring",
        "dataclasses",
        "logging",
        "pathlib",
        "random",
        "secrets",
        "ipaddress",
        "lakekey.workload_identity",
    ]
    program = (
        "import lakekey, sys\nlakekey.provider('prod').headers()\n"
        f"print([name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
    assert box.log == []
