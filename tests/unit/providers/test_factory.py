"""Making providers: which settings are ours, and where the warning of an unattended run points."""

import io
import os
import sys
import warnings

import pytest

import lakekey
from lakekey import ConfigurationError, KeyUnavailable, ServicePrincipalMissingWarning
from lakekey.providers.factory import resolve_provider

HOST = "https://acme.cloud.databricks.com"
ROBOT = {"client_id": "robot", "client_secret": "dose-of-a-principal"}


def test_settings_of_ours_are_told_from_the_frameworks():
    provider, rest = resolve_provider(None, {"host": HOST, **ROBOT, "config_file": os.devnull, "timeout": 3})
    assert (provider.target.host, provider.target.client_id, rest) == (HOST, "robot", {"timeout": 3})


def test_provider_that_is_made_takes_what_a_connection_chooses_and_nothing_else():
    made = lakekey.provider(host=HOST, **ROBOT)
    chosen = {"http_path": "/p", "catalog": "c", "schema": "s", "timeout": 3}
    assert resolve_provider(made, chosen) == (made, chosen)
    with pytest.raises(ConfigurationError, match="client_id cannot be changed"):
        resolve_provider(made, {**chosen, "user": "ada@example.com", "client_id": "other"})


@pytest.mark.usefixtures("ci_job")
@pytest.mark.parametrize(
    "make",
    [lakekey.provider, lakekey.requests_auth, lakekey.sqlalchemy.create_engine],
    ids=["provider", "requests", "sqlalchemy"],
)
def test_warning_of_an_unattended_run_points_at_the_code_that_called_lakekey(make):
    with pytest.warns(ServicePrincipalMissingWarning) as caught:
        make(host=HOST, **({"warehouse_id": "w"} if make is lakekey.sqlalchemy.create_engine else {}))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.usefixtures("ci_job")
def test_warning_is_given_once_for_each_profile_and_not_for_a_service_principal():
    other = "https://other.cloud.databricks.com"
    with warnings.catch_warnings(record=True, action="always") as caught:
        for settings in ({"host": HOST}, {"host": HOST}, {"host": other}, {"host": other, **ROBOT}):
            lakekey.provider(**settings)
    assert [str(warning.message).partition(":")[2].partition(":")[0] for warning in caught] == [
        HOST.partition(":")[2], other.partition(":")[2]
    ]  # fmt: skip


@pytest.mark.usefixtures("attended")
def test_nothing_is_warned_of_where_a_person_is_present(recwarn):
    lakekey.provider(host=HOST)
    assert list(recwarn) == []


@pytest.fixture
def no_terminal(monkeypatch):
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "auto")
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(sys, stream, io.StringIO())


@pytest.mark.usefixtures("no_terminal")
@pytest.mark.parametrize(("job", "is_served", "count"), [("", False, 1), ("", True, 0), ("true", True, 1)])
def test_session_that_serves_is_warned_of_in_a_job_and_not_for_the_lack_of_a_terminal(
    monkeypatch, recwarn, job, is_served, count
):
    monkeypatch.setenv("CI", job)
    monkeypatch.setattr(lakekey.Provider, "needs_login", lambda _: not is_served)
    lakekey.provider(host=HOST)
    assert len(recwarn) == count


@pytest.mark.usefixtures("no_terminal")
def test_run_without_a_terminal_whose_session_cannot_be_read_is_warned(monkeypatch):
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")  # and no key there
    with pytest.warns(ServicePrincipalMissingWarning, match="a run without a terminal"):
        provider = lakekey.provider(host=HOST)
    with pytest.raises(KeyUnavailable):
        provider.headers()
