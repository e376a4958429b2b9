"""Portal and store end and begin again in the midst of a sign-in, at an authorization server of others."""

import signal

import pytest
import requests

from lakekey.web import COOKIE
from support.servers.postgresql import Postgresql
from support.web_certified import CertifiedBrowser, CertifiedPlace
from support.web_people import parameters_of
from support.web_workers import PATIENCE, workers

from .conftest import ADA, GRACE, KEY, URL
from .test_portal_fleet import a_home


@pytest.fixture
def postgresql():
    with Postgresql() as server:
        yield server


@pytest.fixture
def certified(lakekey_environment, portal_host, oidc_server, postgresql, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEKEY_STORE", postgresql.address)
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", KEY)
    place = CertifiedPlace(oidc_server, tmp_path, URL)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(place.config_file))
    place.register()
    return place


def test_portal_and_postgresql_restarted_in_mid_flow_connect_each_person_with_one_exchange(
    certified, postgresql, tmp_path
):
    people = {user: CertifiedBrowser("", user, certified) for user in (ADA, GRACE)}
    at, secrets, logs = {}, [certified.secret, KEY], []

    def step(number, take):
        """One step of both people at a worker of its own, which is killed after it; the store restarts, too."""
        directory = tmp_path / f"step-{number}"
        directory.mkdir()
        with workers(directory, URL, 1, a_home(directory)) as ((worker, address),):
            for user, browser in people.items():
                browser.address = address
                at[user] = take(user, browser)
            worker.end(signal.SIGKILL)
            logs.append(worker.log)
        postgresql.crash()
        postgresql.start()

    step(1, lambda user, browser: browser.leave())
    for user, browser in people.items():
        secrets.append(parameters_of(at[user])["state"])
        at[user] = browser.back(at[user])
        secrets += [parameters_of(at[user])["code"], browser.cookies[COOKIE]]
    step(2, lambda user, browser: browser.request("GET", at[user]).onward)
    step(3, lambda user, browser: browser.request("GET", at[user]).words)
    assert all(f"prod is connected as {user}." in at[user] for user in people)
    assert len(certified.token_requests()) == len(people)

    def acts(user, browser):
        shown = requests.get(f"{browser.address}/whoami", headers={"X-User": user}, timeout=PATIENCE).json()
        secrets.append(shown["Authorization"].removeprefix("Bearer "))
        me = f"{certified.server.host}/api/2.0/preview/scim/v2/Me"
        return requests.get(me, headers=shown, verify=certified.box.ca_file, timeout=PATIENCE).json()["userName"]

    step(4, acts)
    assert at == {user: user for user in people}
    assert len(certified.token_requests()) == len(people)
    secrets += certified.server.current_refresh_tokens()
    assert len(secrets) == 2 + 4 * len(people) + len(people)
    said = "".join(log.read_text() for log in logs) + postgresql.log(None)
    assert "/callback/portal-app?…" in said
    assert [secret for secret in secrets if secret in said] == []
