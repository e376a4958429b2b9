"""``lakekey apps`` beside workers that run: what it changes reaches them all, and nothing is removed silently."""

import json
import subprocess

from support.processes import LAKEKEY, lakekey
from support.web_browser import Browser
from support.web_workers import PATIENCE, workers

from .conftest import ADA, GRACE, URL

SCOPES = ["all-apis", "email", "offline_access", "openid", "profile"]


def typed(secret, *arguments):
    return subprocess.run(
        [LAKEKEY, *arguments], input=f"{secret}\n", capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_change_of_an_app_reaches_every_worker_without_a_restart(place, tmp_path):
    with workers(tmp_path, URL, 2) as ((_, first), (_, second)):
        people = [Browser(first, ADA, place.box.ca_file), Browser(second, GRACE, place.box.ca_file)]
        assert all(person.get().buttons == ["Connect prod"] for person in people)
        done = typed("a-wrong-secret", "apps", "rotate-secret", place.app, "--drop-older")
        assert (done.returncode, "every worker uses" in done.stdout) == (0, True)
        for person in people:
            assert "Databricks refuses the app registration portal-app" in person.connect().words
        assert typed(place.secret, "apps", "rotate-secret", place.app, "--drop-older").returncode == 0
        for person in people:
            assert f"prod is connected as {person.user}." in person.connect().words

        refused = lakekey("apps", "remove", place.app)
        assert (refused.returncode, "2 connections" in refused.stderr) == (2, True), refused.stderr
        assert "--with-connections" in refused.stderr
        assert json.loads(lakekey("apps", "show", place.app, "--json").stdout)["connections"] == 2
        removed = lakekey("apps", "remove", place.app, "--with-connections")
        assert (removed.returncode, "2 connections end" in removed.stdout) == (0, True)
        for person in people:
            page = person.press(person.get(), "Connect prod")
            assert "No app is registered for this workspace." in page.words


def test_app_has_the_scopes_and_lifetimes_that_it_is_registered_with(place):
    added = lakekey(
        "apps", "add", "plain", "--client-id", "a-client", "--host", place.box.host, "--portal", URL,
        "--refresh-token-minutes", "2880", "--session-minutes", "43200", "--json",
    )  # fmt: skip
    app = json.loads(added.stdout)
    assert app["scopes"] == SCOPES
    assert (app["refresh_token_lifetime_in_minutes"], app["absolute_session_lifetime_in_minutes"]) == (2880, 43200)
    assert (app["redirect_uri"], app["secret"], app["is_default"]) == (f"{URL}/callback/plain", "none", False)
    shown = lakekey("apps", "show", "plain").stdout
    assert f"redirect URI    {URL}/callback/plain" in shown
    assert "refresh tokens  2880 minutes" in shown
    assert "secret since" not in shown  # it has none
    assert lakekey("apps", "set-default", "plain").returncode == 0
    defaults = {each["name"]: each["is_default"] for each in json.loads(lakekey("apps", "--json").stdout)}
    assert defaults == {place.app: False, "plain": True}
