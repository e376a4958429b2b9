"""The administrator's page."""

import logging
import socket

import pytest

from lakekey.web import people_page

from .conftest import ADA, GRACE, ROOT, URL


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
    assert f"{ADA} prod Connected" in page.words
    assert f"Acts as {ADA} Workspace" in page.words
    assert f"Redirect URI to register {place.redirect_uri} Client id portal-app" in page.words
    assert "Connections 1 " in page.words
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
    assert f"register its redirect URI {URL}/callback/second, then try it here." in page.words
    assert "a-secret-of-the-second-app" not in page.text
    kept = portal.registrations.get("second")
    assert (kept.redirect_uri, kept.is_default) == (f"{URL}/callback/second", False)
    assert "second is the default for its workspaces." in root.press(page, "Make second the default").words
    assert portal.registrations.get("second").is_default
    action, fields = root.get("/admin").form("Replace the secret of second")
    root.post(action, {**fields, "secret": "a-newer-secret-of-the-second-app", "keep_older": "yes"})
    assert portal.registrations.get("second").older_secret == "a-secret-of-the-second-app"
    assert "second is removed." in root.press(root.get("/admin"), "Remove second").words
    assert [app.name for app in portal.registrations.all()] == ["portal-app"]


def test_app_is_registered_for_an_account_with_all_that_an_app_may_have(visit, portal):
    root = visit()
    action, fields = root.get("/admin").form("Register")
    assert f"{URL}/callback/NAME" in root.get("/admin").words
    given = {
        "name": "whole",
        "client_id": "whole-app",
        "account_id": "0d26daa6-5e44-4c97-a497-ef015f91254a",
        "scopes": "sql",
        "refresh_token_minutes": "2880",
        "session_minutes": "43200",
        "issuer": "https://accounts.example.com/oidc",
        "discovery_url": "https://accounts.example.com/oidc/.well-known/openid-configuration",
    }
    words = root.post(action, {**fields, **given}).words
    assert portal.registrations.get("whole")._asdict() == {
        **portal.registrations.get("portal-app")._asdict(),
        "name": "whole",
        "client_id": "whole-app",
        "hosts": (),
        "account_id": given["account_id"],
        "discovery_url": given["discovery_url"],
        "issuer": given["issuer"],
        "scopes": ("offline_access", "sql"),
        "secret": "",
        "secret_changed_at": portal.registrations.get("whole").secret_changed_at,
        "refresh_token_lifetime_in_minutes": 2880,
        "absolute_session_lifetime_in_minutes": 43200,
        "redirect_uri": f"{URL}/callback/whole",
        "is_default": True,
    }
    assert f"Account {given['account_id']} Scopes offline_access sql Secret none: a public app" in words
    assert "Refresh tokens live 2880 minutes Sessions last 43200 minutes" in words
    assert f"Issuer {given['issuer']} Metadata {given['discovery_url']}" in words


@pytest.mark.parametrize("minutes", ["two days", "-5", "0", "1e3", "٣", "9" * 400])
def test_lifetime_that_is_not_a_number_is_told_and_what_was_typed_stays(visit, portal, minutes):
    root = visit()
    action, fields = root.get("/admin").form("Register")
    typed = {"name": "second", "client_id": "a<b>", "secret": "a-secret-that-was-typed", "session_minutes": minutes}
    page = root.post(action, {**fields, **typed})
    assert (page.status, "is not a number of minutes" in page.words) == (409, True)
    kept = page.form("Register")[1]
    assert (kept["name"], kept["client_id"], kept["secret"]) == ("second", "a<b>", "")
    assert "a-secret-that-was-typed" not in page.text
    assert [app.name for app in portal.registrations.all()] == ["portal-app"]


def test_b14_app_is_tried_on_the_page_and_a_wrong_redirect_uri_or_secret_is_reported(visit, place):
    root = visit()
    host = place.box.host.removeprefix("https://")
    tried = root.press(root.get("/admin"), "Try portal-app")
    assert f"{host} accepts sign-ins through portal-app. It accepts the secret." in tried.words
    place.box.register_client("portal-app", client_secret="dose-of-another-portal", redirect_uris=[place.redirect_uri])
    refused = root.press(root.get("/admin"), "Try portal-app")
    assert (refused.status, "invalid_client" in refused.words) == (409, True)
    assert "refuses the secret of portal-app, or requires one. Change its secret here." in refused.words
    assert "lakekey apps" not in refused.words
    assert place.secret not in refused.text
    place.box.register_client("portal-app", client_secret=place.secret, redirect_uris=["https://elsewhere.example/cb"])
    refused = root.press(root.get("/admin"), "Try portal-app")
    assert (refused.status, f"that it has the redirect URI {place.redirect_uri}." in refused.words) == (409, True)


def test_each_act_on_the_page_makes_an_audit_record_and_looking_makes_none(visit, caplog):
    visit(ADA).connect()
    root = visit()

    def filled(button, **given):
        action, fields = root.get("/admin").form(button)
        return root.post(action, {**fields, **given})

    with caplog.at_level("INFO", logger="lakekey.audit"):
        filled("Try portal-app")
        root.get("/admin?user=ada")
        filled("Register", name="second", client_id="second-app", account_id="an-account")
        filled("Register", name="second", client_id="second-app", account_id="an-account")  # it is there already
        filled("Replace the secret of portal-app", secret="a-newer-secret-of-the-app")
        filled("Forget the older secret of portal-app")
        filled(f"Remove prod of {ADA}")
        filled("Remove second")
    acts = [
        tuple(getattr(record, f"lakekey.{name}", None) for name in ("action", "detail", "actor"))
        for record in caplog.records
        if getattr(record, "lakekey.event", "") == "administration"
    ]
    assert acts == [
        ("app_added", "second", ROOT),
        ("app_secret_replaced", "portal-app", ROOT),
        ("app_older_secret_forgotten", "portal-app", ROOT),
        ("connection_removed", "refused", ROOT),
        ("app_removed", "second", ROOT),
    ]
    assert "secret-of-the-app" not in caplog.text


def test_page_lets_the_server_ask_no_host_that_the_portal_does_not_sign_in_to(visit, portal):
    root = visit()
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0)
        here = f"127.0.0.1:{inside.getsockname()[1]}"
        action, fields = root.get("/admin").form("Register")
        given = {**fields, "name": "probe", "client_id": "x", "host": f"https://{here}"}
        refused = root.post(action, {**given, "discovery_url": f"http://{here}/"})
        assert (refused.status, "is not an https address" in refused.words) == (409, True)
        root.post(action, given)
        tried = root.press(root.get("/admin"), "Try probe")
        assert (tried.status, "No profile of this portal leads to a workspace of probe" in tried.words) == (409, True)
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_names_and_scopes_of_an_app_are_shown_as_text(visit):
    root = visit()
    action, fields = root.get("/admin").form("Register")
    odd = '"><script>x</script>\N{RIGHT-TO-LEFT OVERRIDE}'
    given = {"name": "odd", "client_id": "<b>x", "account_id": odd, "issuer": odd, "scopes": odd}
    page = root.post(action, {**fields, **given})
    assert page.status == 200
    assert "<script" not in page.text
    assert "<b>x" not in page.text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.text


def test_b44_two_secrets_stand_side_by_side_until_the_older_one_is_forgotten(visit, portal, place):
    root = visit()
    action, fields = root.get("/admin").form("Replace the secret of portal-app")
    done = root.post(action, {**fields, "secret": "a-secret-of-next-week"})
    assert "The older one is sent if the new one is refused." in done.words
    assert "sealed, together with the older one" in done.words
    tried = root.press(done, "Try portal-app")
    assert "It accepts the older secret only, not the new one yet." in tried.words
    assert "is connected as" in visit(ADA).connect().words
    place.box.register_client(
        "portal-app", client_secret="a-secret-of-next-week", redirect_uris=[place.redirect_uri],
        grants=("authorization_code", "refresh_token"),
    )  # fmt: skip
    assert "It accepts the secret." in root.press(done, "Try portal-app").words
    assert "is forgotten" in root.press(root.get("/admin"), "Forget the older secret of portal-app").words
    assert (portal.registrations.get("portal-app").secret, portal.registrations.get("portal-app").older_secret) == (
        "a-secret-of-next-week",
        "",
    )
    del fields["keep_older"]
    root.post(action, {**fields, "secret": "a-secret-that-counts-at-once"})
    assert portal.registrations.get("portal-app").older_secret == ""


def test_connection_that_is_made_while_the_page_is_open_keeps_its_app(visit, portal):
    root = visit()
    page = root.get("/admin")
    assert "No connection needs it." in page.words
    visit(ADA).connect()
    refused = root.press(page, "Remove portal-app")
    assert (refused.status, "Connections that need portal-app: 1." in refused.words) == (409, True)
    assert portal.registrations.get("portal-app")
    assert "Connections that need it: 1." in refused.words


def test_person_is_found_by_a_part_of_the_name_among_many(visit, portal, monkeypatch):
    visit(ADA).connect()
    visit(GRACE).connect()
    root = visit()
    assert "Users: 2 of 2." in root.get("/admin").words
    found = root.get("/admin?user=GRA")
    assert ("Users: 1 of 2." in found.words, ADA in found.text) == (True, False)
    assert "Remove all connections of grace@example.com" in found.buttons
    assert "<script>" not in root.get("/admin?user=%22%3E%3Cscript%3E").text
    monkeypatch.setattr(people_page, "MOST", 1)
    assert "Users: 2 of 2. Not shown: 1." in root.get("/admin").words


def test_b45_button_that_removes_an_app_says_that_connections_need_it(visit):
    visit(ADA).connect()
    root = visit()
    page = root.get("/admin")
    assert "Remove portal-app although connections need it" in page.buttons
    assert root.press(page, "Remove portal-app although connections need it").status == 200
    assert "From an app or a profile that no longer exists" in root.get("/admin").words


@pytest.mark.parametrize("fields", [{"do": "nothing"}, {"do": "default", "app": "x"}, {"do": "add", "name": "A B"}])
def test_impossible_change_is_reported_on_the_page_and_is_not_a_warning_in_the_log(visit, fields, caplog):
    root = visit()
    _, hidden = root.get("/admin").form("Register")
    caplog.set_level(logging.INFO, "lakekey.web")
    page = root.post("/lakekey/admin", {**hidden, **fields})
    assert page.status == 409
    assert 'role="alert"' in page.text
    (record,) = [each for each in caplog.records if "change failed" in each.getMessage()]
    assert (record.levelno, "None" in record.getMessage()) == (logging.INFO, False)


def test_change_from_another_site_is_refused(visit, portal):
    root = visit()
    page = root.get("/admin")
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert root.press(page, "Remove portal-app", **headers).status == 403
    assert portal.registrations.get("portal-app")


def test_page_is_german_where_that_is_asked_for(visit):
    assert "App-Registrierungen" in visit(language="de").get("/admin").words
