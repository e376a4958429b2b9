"""An app that is changed where it is: what reaches every worker at once, and what connections do not outlive silently."""

import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.errors import ConfigurationError
from lakekey.web import Portal, User
from support.processes import lakekey
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA, GRACE, URL

ROOT = "root@example.com"
SCOPES = ("all-apis", "email", "offline_access", "openid", "profile")


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=[ROOT])


@pytest.fixture
def visit(portal, place):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield lambda user=ROOT, **options: Browser(address, user, place.box.ca_file, **options)


def test_lifetimes_workspaces_and_a_name_change_under_a_connection_that_stays(visit, portal, place, caplog):
    ada = visit(ADA)
    ada.connect()
    caplog.set_level("INFO", logger="lakekey.audit")
    done = lakekey(
        "apps", "set", place.app, "--rename", "renamed", "--host", place.box.host, "--host", "https://second.example.com",
        "--session-minutes", "43200", "--refresh-token-minutes", "2880", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["changed"] == [
        "name", "hosts", "refresh_token_lifetime_in_minutes", "absolute_session_lifetime_in_minutes", "redirect_uri",
    ]  # fmt: skip
    assert (said["ended_connections"], said["connections"]) == (0, 1)
    app = portal.registrations.get("renamed")  # as a worker that was there before sees it
    assert (app.redirect_uri, app.secret) == (f"{URL}/callback/renamed", place.secret)
    assert "prod Connected" in ada.get().words
    assert "Redirect URI to register " + app.redirect_uri in visit().get("/admin").words
    again = lakekey("apps", "set", "renamed", "--session-minutes", "none")
    assert "absolute_session_lifetime_in_minutes" in again.stdout
    assert portal.registrations.get("renamed").absolute_session_lifetime_in_minutes is None
    assert "is so already" in lakekey("apps", "set", "renamed", "--session-minutes", "none").stdout
    nothing = lakekey("apps", "set", "renamed")
    assert (nothing.returncode, "nothing to change was given" in nothing.stderr) == (2, True)


def test_scopes_under_connections_change_only_where_it_is_said_that_these_end(visit, portal, place):
    visit(ADA).connect()
    visit(GRACE).connect()
    refused = lakekey("apps", "set", place.app, "--scopes", "sql")
    assert (refused.returncode, "2 connections would end by that: scopes" in refused.stderr) == (2, True)
    assert "--with-connections" in refused.stderr
    assert portal.registrations.get(place.app).scopes == SCOPES
    done = lakekey("apps", "set", place.app, "--scopes", "sql", "--with-connections")
    assert (done.returncode, "2 connections end" in done.stdout) == (0, True)
    assert portal.registrations.get(place.app).scopes == ("offline_access", "sql")
    assert "prod Not connected" in visit(ADA).get().words
    assert [held.offered for held in portal.everyone.all()] == [False, False]  # shown, and removed by an administrator


@pytest.mark.parametrize("fields", [{"hosts": ("https://other.example.com",)}, {"scopes": ("sql",)}])
def test_connection_ends_by_what_it_is_known_by_only(portal, place, visit, fields):
    visit(ADA).connect()
    with pytest.raises(ConfigurationError, match="1 connection would end"):
        portal.registrations.change(place.app, **fields)
    place.config_file.write_text(place.config_file.read_text() + "scopes = all-apis openid email\n")
    visit(GRACE).connect()  # by scopes of the profile's own
    _, what, ended = portal.registrations.change(place.app, with_connections=True, **fields)
    assert (what, ended) == (list(fields), 2 if "hosts" in fields else 1)


def test_server_of_connections_is_not_exchanged_for_another(portal, place, visit):
    change, issuer = portal.registrations.change, f"{place.box.host}/oidc"
    assert change(place.app, issuer="https://elsewhere.example.com")[1] == ["issuer"]  # no one is connected
    assert change(place.app, issuer=None, discovery_url=None)[1] == ["issuer"]
    visit(ADA).connect()
    assert change(place.app, issuer=issuer)[1] == ["issuer"]  # it is pinned now, and was any before
    for fields in ({"issuer": "https://elsewhere.example.com"}, {"issuer": None}, {"discovery_url": f"{URL}/metadata"}):
        with pytest.raises(ConfigurationError, match="cannot be changed while connections need it"):
            change(place.app, with_connections=True, **fields)
    with pytest.raises(ConfigurationError, match="client_id of an app registration cannot be changed"):
        change(place.app, client_id="another")
    assert portal.registrations.get(place.app).issuer == issuer


def test_app_that_is_made_from_a_profile_follows_that(portal, place):
    place.config_file.write_text(f"[prod]\nhost = {place.box.host}\nclient_id = own\n")
    portal.app_of(portal.target("prod", User(ADA)))
    with pytest.raises(ConfigurationError, match="made from the profile prod"):
        portal.registrations.change("prod", scopes=("sql",))


def test_name_that_is_taken_and_fields_that_cannot_be_change_nothing(portal, place):
    portal.registrations.add(portal.registrations.get(place.app)._replace(name="second", is_default=False))
    before = portal.registrations.all()
    for fields in ({"name": "second"}, {"name": "A B"}, {"hosts": ()}, {"redirect_uri": "http://public.example.com/x"}):
        with pytest.raises(ConfigurationError):
            portal.registrations.change(place.app, **fields)
    assert portal.registrations.all() == before


def test_app_is_changed_on_the_page_and_what_was_typed_stays_after_a_refusal(visit, portal, place, caplog):
    visit(ADA).connect()
    root = visit()
    action, fields = root.get("/admin").form("Save portal-app")
    assert (fields["host"], fields["scopes"]) == (place.box.host, " ".join(SCOPES))
    assert "Connections that need it: 1." in root.get("/admin").words
    with caplog.at_level("INFO", logger="lakekey.audit"):
        done = root.post(action, {**fields, "session_minutes": "43200"})
    assert "portal-app is changed, for every worker from now on." in done.words
    (record,) = [each for each in caplog.records if getattr(each, "lakekey.action", "") == "app_changed"]
    assert getattr(record, "lakekey.actor") == ROOT
    assert getattr(record, "lakekey.detail") == "portal-app: absolute_session_lifetime_in_minutes"
    stale = root.post(action, {**fields, "session_minutes": "1"})
    assert (stale.status, "portal-app was changed meanwhile." in stale.words) == (409, True)
    action, fields = root.get("/admin").form("Save portal-app")
    refused = root.post(action, {**fields, "scopes": "sql"})
    assert (refused.status, "Connections that would end by that: 1. Nothing was saved." in refused.words) == (409, True)
    typed = refused.form("Save portal-app")[1]
    assert (typed["scopes"], "with_connections" in typed) == ("sql", False)
    assert portal.registrations.get(place.app).scopes == SCOPES
    done = root.post(action, {**typed, "with_connections": "yes"})
    assert "Connections that have ended by it: 1." in done.words
    assert "is so already" in root.press(root.get("/admin"), "Save portal-app").words


def test_app_is_not_changed_by_those_who_do_not_administer(visit, portal, place):
    ada, root = visit(ADA), visit()
    _, changed = root.get("/admin").form("Save portal-app")
    _, own = ada.get().form("Connect prod")
    assert ada.post("/lakekey/admin", {**changed, **own, "session_minutes": "1"}).status == 404
    assert portal.registrations.get(place.app).absolute_session_lifetime_in_minutes is None
