"""The page of connections in the UI of a whole Airflow: for people who develop. Tasks stay automation."""

import asyncio
import configparser
import contextvars
import logging
import os
import re
from pathlib import Path

import pytest
from starlette.requests import Request

import lakekey.airflow.portal as portal_plugin
from lakekey.airflow.portal import LakekeyPortalPlugin
from support.airflow_home import Airflow
from support.chromium import chromium
from support.waiting import until
from support.web_chromium import PortalChromium

from .conftest import ADA, APP, GRACE, HEDY, SECRET, visitor

# Airflow's own warnings about its own modules are not this project's.
pytestmark = [pytest.mark.timeout(400), pytest.mark.filterwarnings("ignore")]


class Visitor:
    """A user as an auth manager has one; that of FAB's public role is anonymous, and has no id."""

    def __init__(self, unique, **facts):
        self._unique = unique
        vars(self).update(facts)

    def get_id(self):
        return self._unique

    def get_name(self):
        return "Anonymous"


def connections_of(browser):
    answer = browser.get("/connections", headers={"Accept": "application/json"})
    assert answer.status == 200, answer.words
    return answer.text


def test_person_who_is_signed_in_to_airflow_connects_as_oneself(people, service):
    for user, (browser, page) in people.items():
        assert f"prod is connected as {user}." in page.words
        assert f'"user":"{user}"' in connections_of(browser)
    (ada, _), (grace, _) = people.values()
    assert GRACE not in connections_of(ada)
    assert ADA not in connections_of(grace)


@pytest.mark.skipif(
    chromium() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"), reason="Chromium and its driver are not here"
)
def test_person_at_a_browser_finds_the_page_in_the_menu_and_connects(service, opaque_sandbox, tmp_path):
    with PortalChromium(tmp_path, [opaque_sandbox.host]) as browser:
        browser.open(f"{service.url}/")
        browser.reads("Sign in")
        browser.type('input[name="username"]', HEDY)
        browser.type('input[name="password"]', HEDY[::-1])
        browser.choose('button[type="submit"]')
        browser.reads("Welcome")
        browser.choose('button[aria-label="User"]')
        browser.reads("Databricks connections")
        browser.choose('a[aria-label="Databricks connections"]')
        browser.to_newest_window()
        browser.reads("Not connected")
        browser.choose('form[action$="/connect/prod"] button')
        browser.reads("Who are you?")
        browser.choose(f'input[value="{ADA}"]')
        browser.choose('button[value="sign-in"]')
        browser.reads("Is this you?")
        browser.choose('form:has(input[name="accept"][value="yes"]) button')
        assert f"You are here as {HEDY}." in browser.reads(f"prod is connected as {ADA}.")


def test_page_is_in_the_menu_of_airflow(service):
    views = [
        view for plugin in service.call("GET", "/api/v2/plugins").json()["plugins"] for view in plugin["external_views"]
    ]
    assert [(view["name"], view["href"], view.get("url_route")) for view in views] == [
        ("Databricks connections", f"{service.url}/lakekey/", None)
    ]


def test_visitor_without_a_session_of_airflow_sees_nothing(people, service, opaque_sandbox):
    browser = visitor(service, opaque_sandbox, ADA)
    for token in (None, "x", people[ADA][0].cookies["_token"][:-4] + "AAAA"):
        browser.cookies.pop("_token", None)
        if token:
            browser.cookies["_token"] = token
        assert browser.get().status == 401
        assert browser.get("/connections").status == 401


@pytest.mark.parametrize("found", [None, Visitor(None), Visitor(""), Visitor("7", is_anonymous=True)])
def test_visitors_without_an_airflow_sign_in_are_no_user(monkeypatch, found):
    async def get_user(*_):
        return found

    monkeypatch.setattr("airflow.api_fastapi.core_api.security.get_user", get_user)
    request = Request({"type": "http", "headers": []})
    assert asyncio.run(portal_plugin._Person(frozenset({"None", "", "7"}))(request)) is None


def test_person_of_an_auth_manager_whose_ids_are_numbers_is_known_by_it(monkeypatch):
    async def get_user(*_):
        return Visitor(7, is_anonymous=False)

    monkeypatch.setattr("airflow.api_fastapi.core_api.security.get_user", get_user)
    request = Request({"type": "http", "headers": []})
    assert asyncio.run(portal_plugin._Person(frozenset())(request)) == ("Anonymous", "7")


@pytest.mark.parametrize(
    ("found", "administers"),
    [
        (Visitor("7", role="Admin"), True),
        (Visitor("7", role="Viewer"), False),
        (Visitor("8"), True),
        (Visitor("Anonymous"), False),
        (Visitor("8", is_anonymous=True), False),
        (None, False),
    ],
)
def test_airflows_role_or_an_id_of_the_setting_makes_an_administrator(monkeypatch, found, administers):
    async def get_user(*_):
        return found

    async def asked():
        portal_plugin._administers.set(True)  # of another request
        await portal_plugin._Person(frozenset({"8"}))(Request({"type": "http", "headers": []}))
        return portal_plugin._administers.get()

    monkeypatch.setattr("airflow.api_fastapi.core_api.security.get_user", get_user)
    assert asyncio.run(asked()) is administers


def test_request_administers_nothing_before_it_is_known_whose_it_is():
    assert contextvars.Context().run(portal_plugin._administers.get) is False


def test_query_reaches_the_page_and_not_what_airflow_logs_a_request_from():
    asked = []

    class Page:
        url = "https://airflow.example.com/lakekey"

        async def __call__(self, scope, *_):
            asked.append(scope)

    page = portal_plugin.WithoutLoggedQueries(Page())
    scopes = [{"type": "http", "query_string": b"code=dose-of-code"}, {"type": "lifespan"}]
    for scope in scopes:
        asyncio.run(page(scope, None, None))
    assert asked == [{"type": "http", "query_string": b"code=dose-of-code"}, {"type": "lifespan"}]
    assert scopes == [{"type": "http", "query_string": b""}, {"type": "lifespan"}]


def test_session_that_was_ended_in_airflow_ends_the_page(service, opaque_sandbox):
    browser = visitor(service, opaque_sandbox, ADA)
    assert browser.get().status == 200
    kept = browser.cookies["_token"]
    assert browser.request("GET", "/api/v2/auth/logout").status == 307
    browser.cookies["_token"] = kept  # a copy of it is worth nothing either
    assert browser.get().status == 401


def test_account_whose_name_differs_by_case_alone_is_another_person(people, service, opaque_sandbox):
    assert people
    other = visitor(service, opaque_sandbox, "Ada@Example.com").get()
    assert other.status == 200
    assert "Not connected" in other.words


def test_administrator_of_airflow_administers_and_others_do_not(people, service, opaque_sandbox):
    for user in ("root", HEDY):  # by role, and by the settings
        page = visitor(service, opaque_sandbox, user).get("/admin")
        assert page.status == 200
        assert ADA in page.words
    assert people[ADA][0].get("/admin").status == 404
    assert people[GRACE][0].get("/admin").status == 404


def test_page_says_which_principal_tasks_use(people, opaque_sandbox):
    assert opaque_sandbox.client_id in people[ADA][0].get().words


def test_task_gets_no_token_of_a_person_who_is_connected(ended, service, opaque_sandbox):
    states, _, log = ended
    assert states["lakekey_example"] == "success"
    assert states["unconfigured"] == "failed"
    assert "not signed in" in service.task_log("unconfigured", "query")
    assert {record.client_id for record in log if record.route == "token"} == {opaque_sandbox.client_id}
    assert not {ADA, GRACE} & {record.subject for record in log}


def test_answers_and_secrets_of_sign_ins_are_in_no_log(people, service):
    def callbacks():
        return [line for line in service.output if f"/lakekey/callback/{APP}" in line]

    until(lambda: len(callbacks()) >= len(people))  # the service writes a line a moment after it has answered
    assert not [line for line in callbacks() if "code" in line.replace("status_code", "") or "state" in line]
    assert SECRET.encode() not in service.airflow.written() + "".join(service.output).encode()


def test_settings_of_the_page_serve_it(box, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs/guides/airflow.md").read_text(encoding="utf-8")
    settings = configparser.ConfigParser()
    settings.read_string(re.search(r"^```ini\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1])
    for name, value in settings["lakekey"].items():
        monkeypatch.setenv(f"AIRFLOW__LAKEKEY__{name.upper()}", value)
    write_profiles(box, tmp_path, monkeypatch)
    (served,) = LakekeyPortalPlugin().fastapi_apps
    assert served["url_prefix"] == "/lakekey"
    assert served["app"].url == "http://localhost:8080/lakekey"


def test_settings_of_the_page_are_in_the_file_that_airflow_writes_and_not_to_be_added_twice(box, tmp_path):
    airflow = Airflow(tmp_path / "home", box)
    done = airflow.run("config", "get-value", "lakekey", "portal_profiles")
    assert done.returncode == 0, done.stderr
    written = (airflow.home / "airflow.cfg").read_text(encoding="utf-8")
    assert "\n[lakekey]\n" in written
    assert "\nportal_profiles =" in written
    with pytest.raises(configparser.DuplicateSectionError):  # which no command of Airflow's survives
        configparser.ConfigParser(interpolation=None).read_string(f"{written}\n[lakekey]\nportal_profiles = prod\n")


def write_profiles(box, tmp_path, monkeypatch):
    profiles = tmp_path / "databrickscfg"
    profiles.write_text(
        f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n[nightly]\nhost = {box.host}\n"
        f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profiles))


def test_page_is_off_where_no_profile_is_named():
    plugin = LakekeyPortalPlugin()
    assert (plugin.fastapi_apps, plugin.external_views) == ([], [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True", "makes all visitors of Airflow one person"),
        ("API__BASE_URL", "http://airflow.example.com", "is not an address that sign-ins can come back to"),
        ("LAKEKEY__PORTAL_AUTOMATION", "prod", "which is not a pair"),
        ("LAKEKEY__PORTAL_PROFILES", "nothing", "nothing"),
    ],
)
def test_page_that_would_be_unsafe_is_not_served_and_airflow_starts(
    box, tmp_path, monkeypatch, caplog, name, value, said
):
    write_profiles(box, tmp_path, monkeypatch)
    monkeypatch.setenv("AIRFLOW__LAKEKEY__PORTAL_PROFILES", "prod")
    plugin = LakekeyPortalPlugin()
    assert plugin.external_views[0]["href"] == "http://localhost:8080/lakekey/"
    monkeypatch.setenv(f"AIRFLOW__{name}", value)
    plugin = LakekeyPortalPlugin()
    with caplog.at_level(logging.WARNING, "lakekey.airflow"):
        assert (plugin.fastapi_apps, plugin.external_views) == ([], [])
    assert said in caplog.text
