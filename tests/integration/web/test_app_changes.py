"""An app that is changed where it is: what reaches every worker at once, and what connections do not outlive silently."""

import json

import pytest

from lakekey.errors import ConfigurationError
from lakekey.web import User
from support.processes import lakekey

from .conftest import ADA, GRACE, ROOT, URL

SCOPES = ("all-apis", "email", "offline_access", "openid", "profile")


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
    assert "already has these settings" in lakekey("apps", "set", "renamed", "--session-minutes", "none").stdout
    nothing = lakekey("apps", "set", "renamed")
    assert (nothing.returncode, "nothing to change was given" in nothing.stderr) == (2, True)


def test_scopes_under_connections_change_only_where_it_is_said_that_these_end(visit, portal, place):
    visit(ADA).connect()
    visit(GRACE).connect()
    refused = lakekey("apps", "set", place.app, "--scopes", "sql")
    assert (refused.returncode, "2 connections would end: scopes" in refused.stderr) == (2, True)
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
    app, second = portal.registrations.get(place.app), f"{URL}/callback/second"
    portal.registrations.add(app._replace(name="second", redirect_uri=second, is_default=False))
    before = portal.registrations.all()
    for fields in (
        {"name": "second"}, {"name": "A B"}, {"hosts": ()},
        {"redirect_uri": "http://public.example.com/x"}, {"redirect_uri": second},
    ):  # fmt: skip
        with pytest.raises(ConfigurationError):
            portal.registrations.change(place.app, **fields)
    assert portal.registrations.change(place.app, account_id="", issuer="")[1] == []
    with pytest.raises(ConfigurationError, match="second has the redirect URI"):
        portal.registrations.add(app._replace(name="third", redirect_uri=second))
    assert portal.registrations.all() == before


@pytest.fixture
def two(portal, place):
    """An app of another workspace, and behind it in the list the one that the people here sign in through."""
    registrations, app = portal.registrations, portal.registrations.get(place.app)
    registrations.change(place.app, hosts=("https://first.example.com",))
    place.at_server("second")
    registrations.add(app._replace(name="second", client_id="second", redirect_uri=f"{URL}/callback/second"))
    return registrations


def defaults(registrations):
    return [app.name for app in registrations.all() if app.is_default]


def test_app_that_is_given_a_workspace_moves_no_person_of_the_app_that_is_the_default_there(two, visit, place):
    ada = visit(ADA)
    ada.connect()
    assert defaults(two) == [place.app, "second"]
    root = visit()
    action, fields = root.get("/admin").form(f"Save {place.app}")
    done = root.post(action, {**fields, "host": f"https://first.example.com {place.box.host}"})
    assert (done.status, "It is no longer a default" in done.words, "have ended" in done.words) == (200, True, False)
    assert defaults(two) == ["second"]
    assert "prod Connected" in ada.get().words
    assert [count for _, count in two.counted()] == [0, 1]


def test_other_default_ends_connections_only_where_that_is_said(two, visit, place):
    ada, root = visit(ADA), visit()
    ada.connect()
    two.change(place.app, hosts=("https://first.example.com", place.box.host))
    third = two.get(place.app)._replace(name="third", redirect_uri=f"{URL}/callback/third")
    with pytest.raises(ConfigurationError, match="1 connection would end: default"):
        two.add(third._replace(is_default=True))
    two.add(third)
    refused = lakekey("apps", "set-default", place.app)
    assert (refused.returncode, "1 connection would end" in refused.stderr) == (2, True)
    assert f"lakekey apps set-default {place.app} --with-connections" in refused.stderr
    button = f"Make {place.app} the default"
    page = root.press(root.get("/admin"), button)
    assert (page.status, "Connections that would end: 1. Nothing was saved." in page.words) == (409, True)
    assert "prod Connected" in ada.get().words
    action, fields = page.form(button)
    done = root.post(action, {**fields, "with_connections": "yes"})
    assert "Connections that ended because of this: 1." in done.words
    assert defaults(two) == [place.app]
    assert "prod Not connected" in ada.get().words


def test_other_app_that_takes_the_name_of_an_earlier_one_does_not_count_its_connections(portal, visit, place):
    visit(ADA).connect()
    portal.registrations.change(place.app, name="renamed")
    hosts = ("https://other.example.com",)
    other = portal.registrations.get("renamed")._replace(
        name=place.app, client_id="other", hosts=hosts, redirect_uri=place.redirect_uri
    )
    portal.registrations.add(other)
    assert [(app.name, count) for app, count in portal.registrations.counted()] == [("renamed", 1), (place.app, 0)]
    assert portal.registrations.remove(place.app) == 0


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
    assert (stale.status, "portal-app was changed in the meantime." in stale.words) == (409, True)
    assert stale.form("Save portal-app")[1]["session_minutes"] == "43200"  # what there is now
    # Nor does a refusal for another reason make a form new that was opened before.
    wrong = root.post(action, {**fields, "session_minutes": "two"}).form("Save portal-app")[1]
    assert root.post(action, {**wrong, "session_minutes": "1"}).status == 409
    assert portal.registrations.get(place.app).absolute_session_lifetime_in_minutes == 43200
    portal.registrations.change(place.app, absolute_session_lifetime_in_minutes=1234567)
    action, fields = root.get("/admin").form("Save portal-app")
    assert fields["session_minutes"] == "1234567"
    refused = root.post(action, {**fields, "scopes": "sql"})
    assert (refused.status, "Connections that would end: 1. Nothing was saved." in refused.words) == (409, True)
    typed = refused.form("Save portal-app")[1]
    assert (typed["scopes"], "with_connections" in typed) == ("sql", False)
    assert portal.registrations.get(place.app).scopes == SCOPES
    done = root.post(action, {**typed, "with_connections": "yes"})
    assert "Connections that ended because of this: 1." in done.words
    assert "already has these settings" in root.press(root.get("/admin"), "Save portal-app").words


def test_app_is_not_changed_by_those_who_do_not_administer(visit, portal, place):
    ada, root = visit(ADA), visit()
    _, changed = root.get("/admin").form("Save portal-app")
    _, own = ada.get().form("Connect prod")
    assert ada.post("/lakekey/admin", {**changed, **own, "session_minutes": "1"}).status == 404
    assert portal.registrations.get(place.app).absolute_session_lifetime_in_minutes is None
