"""``lakekey apps`` and ``lakekey web``, as an administrator runs them."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests
from starlette.datastructures import Headers

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.errors import ConfigurationError
from lakekey.web import User
from lakekey.web.registrations import Registrations
from lakekey.web.user_header import UserHeader
from support.processes import LAKEKEY, lakekey
from support.waiting import until_up
from support.web_browser import Browser
from support.web_server import free_socket

from .conftest import ADA, URL, Place

PATIENCE = 60.0


def typed(secret, *arguments):
    """Runs a command with something on its standard input."""
    return subprocess.run(
        [LAKEKEY, *arguments], input=secret, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def facts(*arguments):
    done = lakekey(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_app_is_added_shown_rotated_and_removed_without_showing_its_secret(place):
    added = typed(
        "a-second-secret-of-an-app\n", "apps", "add", "second", "--client-id", "second-app", "--host", place.box.host,
        "--portal", URL, "--secret", "--scopes", "sql",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert f"{URL}/callback/second" in added.stdout
    shown = facts("apps", "show", "second")
    assert (shown["secret"], shown["is_default"], shown["scopes"]) == ("one", False, ["offline_access", "sql"])
    assert typed("a-third-secret-of-an-app\n", "apps", "rotate-secret", "second").returncode == 0
    assert facts("apps", "show", "second")["secret"] == "two"
    assert facts("apps", "set-default", "second")["name"] == "second"
    listed = lakekey("apps")
    assert "second-app" in listed.stdout
    everything = added.stdout + listed.stdout + lakekey("apps", "show", "second").stdout
    assert "secret-of-an-app" not in everything
    assert facts("apps", "remove", "second")["connections"] == 0
    assert [app["name"] for app in facts("apps", "list")] == [place.app]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing"), "there is no app registration 'nothing'"),
        (("add", "Big", "--client-id", "x", "--host", "https://x.cloud.databricks.com", "--portal", URL), "lower-case"),
        (("add", "a", "--client-id", "x", "--portal", URL), "no workspace and no account is named"),
        (
            ("add", "a", "--client-id", "x", "--host", "https://x.cloud.databricks.com"),
            "the portal's address is missing",
        ),
        (
            (
                "add",
                "a",
                "--client-id",
                "x",
                "--host",
                "https://x.cloud.databricks.com",
                "--portal",
                "http://p.example",
            ),
            "is not an address that sign-ins can come back to",
        ),
    ],
)
def test_app_that_cannot_be_is_refused_with_the_next_step(place, arguments, said):
    done = lakekey("apps", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "→" in done.stderr


def test_b14_check_of_an_app_says_which_redirect_uri_to_register(place):
    done = lakekey("apps", "check", place.app, "-p", "prod")
    assert done.returncode == 0, done.stderr
    assert f"{place.box.host} accepts sign-ins through {place.app}. It accepts the secret." in done.stdout
    place.box.register_client(place.app, client_secret=place.secret, redirect_uris=["https://elsewhere.example/cb"])
    done = lakekey("apps", "check", place.app, "-p", "prod")
    assert done.returncode == 1
    assert f"register the redirect URL {place.redirect_uri}" in done.stderr


def test_secret_that_is_changed_is_tried_and_its_change_finished(place):
    assert typed("a-secret-of-next-week\n", "apps", "rotate-secret", place.app).returncode == 0
    (tried,) = facts("apps", "check", place.app, "-p", "prod")["workspaces"]
    assert tried["secret"] == "older-accepted"
    assert lakekey("apps", "rotate-secret", place.app, "--finish").returncode == 0
    assert facts("apps", "show", place.app)["secret"] == "one"
    refused = lakekey("apps", "check", place.app, "-p", "prod")
    assert (refused.returncode, f"lakekey apps rotate-secret {place.app}" in refused.stderr) == (1, True)
    again = lakekey("apps", "rotate-secret", place.app, "--finish")
    assert (again.returncode, "has no older secret" in again.stderr) == (2, True)


def test_schedules_of_a_file_are_checked_before_they_run(place, tmp_path):
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps([{"name": "nightly", "profile": "prod", "user": ADA}]))
    done = lakekey("web", "check", "--schedules", str(file), "--url", URL)
    assert (done.returncode, "fails" in done.stdout) == (1, True)
    profile = f"\n[robot]\nhost = {place.box.host}\nca_file = {place.box.ca_file}\n"
    profile += f"client_id = {place.box.client_id}\nclient_secret = {place.box.client_secret}\n"
    place.config_file.write_text(place.config_file.read_text() + profile)
    (checked,) = facts("web", "check", "--schedules", str(file), "--automation", "prod=robot")
    assert (checked["verdict"], checked["acts_as"]) == ("ok", place.box.client_id)


def test_check_of_schedules_names_the_page_of_the_portal_and_keeps_no_app_of_a_profile(place, tmp_path):
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps([{"name": "nightly", "profile": "prod", "user": ADA}]))
    done = lakekey("web", "check", "--schedules", str(file), "--json")
    assert [each["url"] for each in json.loads(done.stdout)] == [f"{URL}/#prod"]
    place.config_file.write_text(f"{place.config_file.read_text()}client_id = a-client-of-its-own\n")
    assert lakekey("web", "check", "--schedules", str(file)).returncode == 1
    assert [app.name for app in Registrations(open_cache()).all()] == [place.app]


def test_check_of_schedules_names_for_each_profile_the_page_of_the_portal_that_has_it(place, tmp_path):
    host, other = "https://dbc-0badcafe-f00d.cloud.databricks.com", "https://other.example.com/portal"
    lakekey("apps", "add", "another", "--client-id", "another", "--host", host, "--portal", other)
    own = Registrations(open_cache())
    third = AppRegistration("own", "own-client", (host,), redirect_uri="https://third.example.com/callback/own")
    own.ensure(third._replace(of_profile="own"), among=())
    text = f"\n[a second]\nhost = {host}\n[own]\nhost = {host}\nclient_id = own-client\n"
    place.config_file.write_text(place.config_file.read_text() + text)
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps([{"name": name, "profile": name, "user": ADA} for name in ("prod", "a second", "own")]))
    pages = [f"{URL}/#prod", f"{other}/#a%20second", "https://third.example.com/#own"]
    done = lakekey("web", "check", "--schedules", str(file))
    assert [line.removeprefix(f"{ADA} connects at ") for line in done.stdout.splitlines() if ADA in line][-3:] == pages
    done = lakekey("web", "check", "--schedules", str(file), "--json")
    assert [each["url"] for each in json.loads(done.stdout)] == pages
    done = lakekey("web", "check", "--schedules", str(file), "--json", "--url", other)
    assert [each["url"].partition("#")[0] for each in json.loads(done.stdout)] == [f"{other}/"] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prod",), "the portal's address is missing"),
        (("prod", "--url", URL), "the portal needs exactly one way to identify its users"),
        (("prod", "--url", URL, "--user-header", "X-User"), "no trusted peer is listed for it"),
        (("prod", "--url", URL, "--single-user", ADA), "serves loopback only"),
        (("prod", "--url", "http://localhost:1", "--single-user", ADA, "--bind", "0.0.0.0"), "serves loopback only"),
        (
            ("prod", "--url", "http://p.example", "--user-header", "X-User", "--trusted-peer", "::1"),
            "sign-ins can come",
        ),
        (("prod", "--url", URL, "--user-header", "X-User", "--trusted-peer", "proxy"), "'proxy' is not an address"),
        (("nothing", "--url", URL, "--user-header", "X-User", "--trusted-peer", "::1"), "nothing"),
    ],
)
def test_b34_and_b15_start_that_would_be_unsafe_is_refused(place, arguments, said):
    done = lakekey("web", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


class Request:
    """A request as the portal's ``user`` sees it."""

    def __init__(self, peer, *headers):
        self.client = None if peer is None else type("Client", (), {"host": peer})
        self.headers = Headers(raw=[(name.lower().encode(), value.encode()) for name, value in headers])


@pytest.mark.parametrize(
    ("peer", "headers", "user"),
    [
        ("10.1.2.3", [("X-User", ADA)], User(ADA)),
        ("::ffff:10.1.2.3", [("X-User", ADA)], User(ADA)),
        ("10.2.0.1", [("X-User", ADA)], None),
        (None, [("X-User", ADA)], None),
        ("10.1.2.3", [], None),
        ("10.1.2.3", [("X-User", "")], None),
        ("10.1.2.3", [("X-User", ADA), ("X-User", "grace@example.com")], None),
        ("10.1.2.3", [("X-User", f"{ADA}, grace@example.com")], None),
        ("9.9.9.9", [("X-User", ADA), ("X-Forwarded-For", "10.1.2.3")], None),
        ("10.1.2.3", [("X-User", "a\tb")], None),
    ],
)
def test_b34_header_names_the_user_only_once_and_only_from_a_listed_peer(peer, headers, user):
    assert UserHeader("X-User", ["10.1.0.0/16"])(Request(peer, *headers)) == user


@pytest.mark.parametrize("listed", ["::ffff:10.1.2.3", "::ffff:10.1.0.0/112"])
def test_b34_peer_that_is_listed_as_ipv4_in_ipv6_is_the_same_peer(listed):
    for peer in ("10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"):
        assert UserHeader("X-User", [listed])(Request(peer, ("X-User", ADA))) == User(ADA)
    assert UserHeader("X-User", [listed])(Request("10.2.0.1", ("X-User", ADA))) is None
    assert UserHeader("X-User", [listed])(Request("::a01:203", ("X-User", ADA))) is None


@pytest.mark.parametrize(
    "listed", ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "0.0.0.0/1 128.0.0.0/1", "::/1 c000::/2 8000::/2"]
)
def test_b34_list_that_trusts_every_peer_is_refused(listed):
    with pytest.raises(ConfigurationError, match="cover every address"):
        UserHeader("X-User", ["10.0.0.7", *listed.split()])


def test_b34_empty_list_of_peers_is_refused():
    with pytest.raises(ConfigurationError, match="no trusted peer is listed"):
        UserHeader("X-User", [])


def is_up(url):
    try:
        return requests.get(url, timeout=PATIENCE).status_code == 200
    except requests.ConnectionError:
        return False


@contextmanager
def served(tmp_path, port, *arguments, path=""):
    """Runs ``lakekey web`` until the end of the block; gives its address."""
    log = (tmp_path / "web.log").open("w")
    process = subprocess.Popen(
        [LAKEKEY, "web", "prod", "--port", str(port), *arguments], stdout=log, stderr=subprocess.STDOUT, env=os.environ
    )
    try:
        until_up(process, tmp_path / "web.log", lambda: is_up(f"http://127.0.0.1:{port}{path}/healthz"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()


def a_port():
    with free_socket() as listener:
        return listener.getsockname()[1]


def test_portal_behind_a_proxy_with_two_workers_connects_its_user(place, tmp_path):
    port = a_port()
    options = ("--url", URL, "--user-header", "X-User", "--trusted-peer", "127.0.0.1", "--workers", "2")
    with served(tmp_path, port, *options, path="/lakekey") as address:
        page = Browser(address, ADA, place.box.ca_file).connect()
        assert f"prod is connected as {ADA}." in page.words
        assert Browser(address, None, place.box.ca_file).get().status == 401
    assert "code=" not in (tmp_path / "web.log").read_text()


def test_workers_that_would_share_nothing_are_refused(place, monkeypatch):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", "/dev/null/cache")
    trusted = ("--user-header", "X-User", "--trusted-peer", "127.0.0.1")
    done = lakekey("web", "prod", "--url", URL, *trusted, "--workers", "2", "--port", str(a_port()))
    assert (done.returncode, "each of the 2 workers would have connections of its own" in done.stderr) == (2, True)
    assert "LAKEKEY_CACHE_DIR" in done.stderr


def test_portal_of_one_person_on_loopback_connects_that_person(place, tmp_path, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "4")  # for another service: uvicorn would take it for its workers
    port = a_port()
    url = f"http://127.0.0.1:{port}"
    own = Place(place.box, tmp_path, "local-app", url=url)
    Registrations(open_cache()).remove(place.app)
    own.register()
    with served(tmp_path, port, "--url", url, "--single-user", ADA) as address:
        browser = Browser(address, None, place.box.ca_file, origin=url, base="")
        assert f"prod is connected as {ADA}." in browser.connect(signs_in=ADA).words


def test_unit_file_starts_the_same_portal(place):
    done = lakekey("web", "prod", "--url", URL, "--user-header", "X-User", "--trusted-peer", "::1", "--print-unit")
    (command,) = re.findall(r"^ExecStart=(.*)$", done.stdout, re.MULTILINE)
    assert '"--user-header" "X-User" "--trusted-peer" "::1"' in command
    assert "--print-unit" not in done.stdout


@pytest.mark.parametrize(("program", "is_warned"), [("/home/ada/bin/lakekey", True), ("/opt/bin/lakekey", False)])
def test_unit_for_a_program_in_a_home_that_the_service_does_not_see_is_warned_of(place, program, is_warned):
    words = [program, "web", "prod", "--url", URL, "--user-header", "X", "--trusted-peer", "::1", "--print-unit"]
    code = f"import sys; sys.argv = {words!r}; from lakekey.cli import run; sys.exit(run())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, f'ExecStart="{program}"' in done.stdout) == (0, True), done.stderr
    assert (f"the unit sees nothing below /home, where {program} is" in done.stderr) is is_warned
