"""The administrator's page."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.web import Portal
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA, GRACE, URL

ROOT = "root@example.com"


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=[ROOT])


@pytest.fixture
def visit(portal, place):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield lambda user=ROOT, **options: Browser(address, user, place.box.ca_file, **options)


def test_administrators_page_is_not_there_for_others(visit, portal):
    ada, root = visit(ADA), visit()
    assert root.get("/admin").status == 200
    assert "Administration" in root.get().words
    assert "Administration" not in ada.get().words
    missing = ada.get("/nothing")
    for page in (ada.get("/admin"), visit(None).get("/admin")):
        assert (page.status, page.words) == (404, missing.words)
    _, fields = ada.get().form("Connect prod")
    assert ada.post("/lakekey/admin", {**fields, "do": "remove-app", "app": "portal-app"}).status == 404
    assert portal.registrations.get("portal-app")


def test_b38_page_shows_owners_and_states_and_no_secret(visit, portal, place):
    visit(ADA).connect()
    page = visit().get("/admin")
    assert f"{ADA}: prod as {ADA}, Connected" in page.words
    assert f"redirect URI {place.redirect_uri}; secret: sealed; connections: 1." in page.words
    token = portal.provider(ADA, "prod").token().access_token
    assert token not in page.text
    assert place.secret not in page.text


def test_b41_person_who_leaves_is_removed_on_the_page(visit, portal):
    visit(ADA).connect()
    visit(GRACE).connect()
    root = visit()
    done = root.press(root.get("/admin"), f"Remove all connections of {ADA}")
    assert f"The connection of {ADA} to prod is removed (revoked)." in done.words
    assert [held.user for held in portal.everyone.all()] == [GRACE]
    done = root.press(done, f"Remove prod of {GRACE}")
    assert "No user is connected." in done.words


def test_app_is_registered_made_default_and_removed_on_the_page(visit, portal, place):
    root = visit()
    action, fields = root.get("/admin").form("Register")
    given = {
        "name": "second",
        "client_id": "second-app",
        "host": place.box.host,
        "secret": "a-secret-of-the-second-app",
    }
    page = root.post(action, {**fields, **given})
    assert "Done." in page.words
    assert "a-secret-of-the-second-app" not in page.text
    kept = portal.registrations.get("second")
    assert (kept.redirect_uri, kept.is_default) == (f"{URL}/callback/second", False)
    assert "Done." in root.press(page, "Make second the default").words
    assert portal.registrations.get("second").is_default
    action, fields = root.get("/admin").form("Replace the secret of second")
    root.post(action, {**fields, "secret": "a-newer-secret-of-the-second-app"})
    assert portal.registrations.get("second").older_secret == "a-secret-of-the-second-app"
    assert "Done." in root.press(root.get("/admin"), "Remove second").words
    assert [app.name for app in portal.registrations.all()] == ["portal-app"]


def test_b45_button_that_removes_an_app_says_that_connections_need_it(visit):
    visit(ADA).connect()
    root = visit()
    page = root.get("/admin")
    assert "Remove portal-app although connections need it" in page.buttons
    assert root.press(page, "Remove portal-app although connections need it").status == 200
    assert "of an app or a profile that is gone" in root.get("/admin").words


@pytest.mark.parametrize("fields", [{"do": "nothing"}, {"do": "default", "app": "x"}, {"do": "add", "name": "A B"}])
def test_change_that_cannot_be_is_told(visit, fields):
    root = visit()
    _, hidden = root.get("/admin").form("Register")
    page = root.post("/lakekey/admin", {**hidden, **fields})
    assert page.status == 409
    assert 'role="alert"' in page.text


def test_change_from_another_site_is_refused(visit, portal):
    root = visit()
    page = root.get("/admin")
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert root.press(page, "Remove portal-app", **headers).status == 403
    assert portal.registrations.get("portal-app")


def test_page_is_german_where_that_is_asked_for(visit):
    assert "App-Registrierungen" in visit(language="de").get("/admin").words
