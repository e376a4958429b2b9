"""Portal and store end and begin again in the midst of a sign-in, at an authorization server of others."""

import signal
from urllib.parse import urlsplit

import pytest
import requests

from support.servers.postgresql import Postgresql
from support.web_browser import Browser
from support.web_people import parameters_of
from support.web_workers import PATIENCE, workers

from .conftest import ADA, GRACE, URL
from .test_portal_fleet import KEY, a_home


@pytest.fixture
def postgresql():
    with Postgresql() as server:
        yield server


class Certified:
    """The certified server as the workspace of a profile ``prod``, with an app of the portal at `URL`."""

    secret = "a-secret-of-the-app-that-is-long-enough"

    def __init__(self, server, directory):
        self.server, self.ca_file = server, server.ca_file
        server.add_client(
            client_id="portal-app", client_secret=self.secret, application_type="web",
            token_endpoint_auth_method="client_secret_basic", redirect_uris=[f"{URL}/callback/portal-app"],
        )  # fmt: skip
        self.config_file = directory / "databrickscfg"
        self.config_file.write_text(f"[prod]\nhost = {server.host}\nca_file = {server.ca_file}\n")

    def sign_in(self, url, user):
        """A person signs in; returns the callback's address as a path of the portal's host."""
        answer = urlsplit(self.server.sign_in(url, user, deliver=False).redirect)
        return f"{answer.path}?{answer.query}"

    def exchanges(self):
        """The code exchanges that the server has received."""
        return [each for each in self.server.log("token") if each.get("grant_type") == "authorization_code"]


@pytest.fixture
def certified(lakekey_environment, oidc_server, postgresql, tmp_path, monkeypatch):
    from lakekey.cache.app_registrations import AppRegistration
    from lakekey.cache.opening import open_cache
    from lakekey.web.registrations import Registrations

    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "never")
    monkeypatch.setenv("LAKEKEY_STORE", postgresql.address)
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", KEY)
    place = Certified(oidc_server, tmp_path)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(place.config_file))
    uri = f"{URL}/callback/portal-app"
    app = AppRegistration("portal-app", "portal-app", hosts=(oidc_server.host,), secret=place.secret, redirect_uri=uri)
    Registrations(open_cache()).add(app)
    return place


def test_portal_and_postgresql_restarted_in_mid_flow_connect_each_person_with_one_exchange(
    certified, postgresql, tmp_path
):
    people = {user: Browser("", user, certified.ca_file) for user in (ADA, GRACE)}
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
    for user in people:
        secrets.append(parameters_of(at[user])["state"])
        at[user] = certified.sign_in(at[user], user)
        secrets += [parameters_of(at[user])["code"], people[user].cookies["__Host-lakekey"]]
    step(2, lambda user, browser: browser.request("GET", at[user]).onward)
    step(3, lambda user, browser: browser.request("GET", at[user]).words)
    assert all(f"prod is connected as {user}." in at[user] for user in people)
    assert len(certified.exchanges()) == len(people)

    def acts(user, browser):
        shown = requests.get(f"{browser.address}/whoami", headers={"X-User": user}, timeout=PATIENCE).json()
        secrets.append(shown["Authorization"].removeprefix("Bearer "))
        me = f"{certified.server.host}/api/2.0/preview/scim/v2/Me"
        return requests.get(me, headers=shown, verify=certified.ca_file, timeout=PATIENCE).json()["userName"]

    step(4, acts)
    assert at == {user: user for user in people}
    assert len(certified.exchanges()) == len(people)
    secrets += certified.server.current_refresh_tokens()
    assert len(secrets) == 2 + 4 * len(people) + len(people)
    said = "".join(log.read_text() for log in logs) + postgresql.log(None)
    assert "/callback/portal-app?…" in said
    assert [secret for secret in secrets if secret in said] == []
