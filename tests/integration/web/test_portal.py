"""The portal's page and routes, mounted in a Starlette application. Codes of rows are those of the guide."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.errors import ConfigurationError, CredentialsRefused, LoginRequired, TokenEndpointError
from lakekey.session.session import Session
from lakekey.web import COOKIE, Portal, User, flows
from lakekey.web.browser import form_token, is_value
from support.waiting import until
from support.web_people import Refused, parameters_of
from support.web_server import serving

from .conftest import ADA, GRACE, URL


@pytest.fixture
def visit(visit):
    """Opens a browser before the portal."""
    return lambda user=ADA, **options: visit(user, **options)


def test_person_connects_and_the_service_acts_as_that_person(visit, portal):
    ada = visit()
    page = ada.connect()
    assert f"prod is connected as {ADA}." in page.words
    assert page.status == 200
    assert portal.provider(ADA, "prod").headers()["Authorization"].startswith("Bearer ")
    assert ada.get("/connections").text.count('"connected"') == 1


def cleared(page):
    """Whether a page has all that keeps it from caches, frames and referrers."""
    policy = page.headers["Content-Security-Policy"]
    return (
        page.headers["Cache-Control"] == "no-store"
        and page.headers["Referrer-Policy"] == "no-referrer"
        and "frame-ancestors 'none'" in policy
        and "script" not in policy
        and page.headers["X-Frame-Options"] == "DENY"
    )


# -- whose sign-in it is ----------------------------------------------------------------------------------------


def test_b01_answer_in_another_browser_is_refused_and_the_right_one_still_works(visit, place):
    ada, other = visit(), visit()
    answer = ada.back(ada.leave())
    other.get()
    page = other.arrive(answer)
    assert (page.status, "another browser" in page.words) == (403, True)
    assert not place.token_requests()
    assert "is connected" in ada.arrive(answer).words


def test_b02_attackers_answer_connects_no_victim(visit, portal):
    mallory, ada = visit(GRACE), visit()
    ada.get()
    assert ada.arrive(mallory.back(mallory.leave())).status == 403
    assert portal.connection(ADA, "prod").state == "not-connected"


def test_b03_user_who_changed_in_between_is_told_who_began(visit, place):
    browser = visit(ADA)
    answer = browser.back(browser.leave())
    browser.user = GRACE
    page = browser.arrive(answer)
    assert page.status == 409
    assert f"{ADA} started this sign-in, but you are here as {GRACE}." in page.words
    assert not place.token_requests()


def test_b05_reload_and_double_click_show_one_outcome_of_one_exchange(visit, place):
    ada = visit()
    answer = ada.back(ada.leave())
    onward = ada.request("GET", answer).onward
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: ada.arrive(answer), range(4)))
    assert all("prod is connected" in page.words for page in pages)
    assert "prod is connected" in ada.request("GET", onward).words
    assert len(place.token_requests()) == 1


@pytest.mark.parametrize(
    "query",
    ["", "code=<b>x</b>&state=<b>y</b>", "state=a&state=b&code=c", "code=c", f"code=c&state={'a' * 9000}", "%ff=%00"],
)
def test_b07_malformed_answer_is_a_constant_page(visit, query):
    ada = visit()
    ada.get()
    page = ada.get(f"/callback/portal-app?{query}")
    assert (page.status, "<b>" in page.text) == (400, False)
    assert "This is not the answer to a sign-in that was started here." in page.words


def test_b08_denial_is_told_in_our_words_and_markup_is_not_repeated(visit):
    ada = visit()
    answer = ada.back(ada.leave(), decision="cancel")
    page = ada.arrive(f"{answer}&error_uri=%3Cimg+src%3Dx%3E")
    assert "The sign-in was not allowed. Nothing was changed." in page.words
    assert "<img" not in page.text


def test_b09_answer_at_the_callback_of_another_app_is_refused(visit, place):
    ada = visit()
    answer = ada.back(ada.leave()).replace("/callback/portal-app", "/callback/other-app")
    page = ada.arrive(answer)
    assert (page.status, "another server" in page.words) == (403, True)
    assert not place.token_requests()


def test_b17_two_tabs_both_succeed(visit):
    ada = visit()
    first, second = ada.leave(), ada.leave()
    assert "is connected" in ada.arrive(ada.back(second)).words
    assert "is connected" in ada.arrive(ada.back(first)).words


def test_b18_two_people_in_two_browsers_are_independent(visit, portal):
    ada, grace = visit(ADA), visit(GRACE)
    to_ada, to_grace = ada.leave(), grace.leave()
    assert f"as {GRACE}" in grace.arrive(grace.back(to_grace)).words
    assert f"as {ADA}" in ada.arrive(ada.back(to_ada)).words
    assert [portal.connection(who, "prod").who for who in (ADA, GRACE)] == [ADA, GRACE]


def test_b19_second_device_replaces_nothing_that_is_in_use(visit, portal):
    laptop, phone = visit(), visit()
    laptop.connect()
    before = portal.provider(ADA, "prod").headers()
    phone.connect("Renew prod now")
    assert portal.provider(ADA, "prod").headers()["Authorization"]
    assert before["Authorization"]
    assert "Connected" in laptop.get().words


def test_b20_browser_without_the_cookie_is_told_to_allow_it(visit, place):
    ada = visit()
    answer = ada.back(ada.leave())
    ada.cookies.clear()
    page = ada.arrive(answer)
    assert (page.status, "Allow cookies for this site" in page.words) == (403, True)
    assert f"The address is {URL}/ and no other" in page.words
    assert not place.token_requests()


def test_b20_button_without_the_cookie_leads_to_no_sign_in(visit):
    ada = visit()
    page = ada.get()
    ada.cookies.clear()
    answer = ada.press(page, "Connect prod")
    assert (answer.status, answer.onward) == (403, None)


# -- who signed in ----------------------------------------------------------------------------------------------


def test_b23_other_person_is_asked_about_and_nothing_stored_before(visit, portal):
    ada = visit()
    page = ada.connect(signs_in=GRACE)
    assert f"You are here as {ADA}, and signed in to Databricks as {GRACE}." in page.words
    assert portal.connection(ADA, "prod").state == "not-connected"
    done = ada.press(page, f"Use {GRACE}")
    assert f"prod is connected as {GRACE}." in done.words
    assert portal.connection(ADA, "prod").who == GRACE


def test_b23_other_person_who_is_declined_is_revoked(visit, portal, place):
    place.box.revoke(GRACE)
    ada = visit()
    page = ada.connect(signs_in=GRACE)
    assert "Nothing was changed." in ada.press(page, f"Do not use {GRACE}").words
    assert portal.connection(ADA, "prod").state == "not-connected"
    assert len(place.box.stored_refresh_tokens(GRACE)) == 0


def test_b23_question_is_answered_by_its_own_browser_only(visit, portal):
    ada, other = visit(), visit()
    action, fields = ada.connect(signs_in=GRACE).form(f"Use {GRACE}")
    _, theirs = other.get().form("Connect prod")
    assert other.post(action, {**fields, "token": theirs["token"]}).status == 403
    assert portal.connection(ADA, "prod").state == "not-connected"


def test_b24_reconnecting_as_another_keeps_the_connection_until_allowed(visit, portal):
    ada = visit()
    ada.connect()
    page = ada.connect("Renew prod now", signs_in=GRACE)
    assert f"{ADA} was expected" in page.words
    assert portal.connection(ADA, "prod").who == ADA


def test_b25_answer_without_refresh_token_names_scope_app_and_administrator(visit, place, portal):
    ada = visit()
    ada.connect()
    answer = ada.back(ada.leave("Renew prod now"))
    place.box.fault("token", body={"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60})
    page = ada.arrive(answer)
    assert "Ask your administrator to allow the app portal-app the scope offline_access." in page.words
    assert portal.connection(ADA, "prod").state == "connected"


def test_b36_name_that_was_given_to_another_person_shows_no_old_connection(place):
    ids = {"x": "first"}
    portal = Portal(["prod"], url=URL, user=lambda request: User(request.headers["x-user"], ids["x"]))
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        place.browser(address, ADA).connect()
        assert portal.connection(User(ADA, "first"), "prod").state == "connected"
        ids["x"] = "second"
        assert "Not connected" in place.browser(address, ADA).get().words
        with pytest.raises(LoginRequired):
            portal.provider(User(ADA, "second"), "prod")


# -- addresses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example", "/%0d%0aX: y\n", "\t//e"],
)
def test_b11_return_to_another_site_ends_on_our_own_page(visit, given):
    ada = visit()
    action, fields = ada.get().form("Connect prod")
    onward = ada.post(action, {**fields, "return_to": given}).onward
    page = ada.arrive(ada.back(onward))
    assert (page.status, page.headers.get("Location")) == (200, None)


def test_return_to_a_path_of_the_host_is_followed(visit, portal, place):
    ada = visit()
    action, fields = ada.get().form("Connect prod")
    answer = ada.back(ada.post(action, {**fields, "return_to": "/reports?week=7"}).onward)
    onward = ada.request("GET", answer).onward
    page = ada.request("GET", onward)
    assert (page.status, page.headers["Location"]) == (303, "/reports?week=7")
    handle, found = onward.partition("flow=")[2], portal.sign_ins.flows.find
    until(lambda: found(handle).stage == flows.DONE)  # which is noted when the person has been told
    place.config_file.write_text("[another]\nhost = https://another.example.com\n")
    again = ada.request("GET", onward)  # a reload: what has ended well has, though the profile is gone since
    assert (again.status, again.headers.get("Location")) == (303, "/reports?week=7")


def test_b12_forged_hosts_do_not_change_the_redirect_uri(visit, place):
    ada = visit()
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    page = ada.press(ada.get(), "Connect prod", **forged)
    assert parameters_of(page.onward)["redirect_uri"] == place.redirect_uri
    onward = ada.request("GET", ada.back(page.onward), headers=forged).onward
    assert onward.startswith("/lakekey/finish?")


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "on its own"])
def test_b13_redirect_uri_is_the_same_to_the_byte_however_it_is_served(place, url, mounted):
    portal = Portal(["prod"], url=url, user=lambda request: request.headers.get("x-user"))
    app = Starlette(routes=[Mount("/lakekey", app=portal)]) if mounted else portal
    with serving(app) as address:
        ada = place.browser(address, ADA)
        assert parameters_of(ada.leave())["redirect_uri"] == place.redirect_uri
        assert "is connected" in ada.connect().words


def test_b14_redirect_uri_that_is_not_registered_stops_at_the_server_and_the_page_names_it(visit, place):
    place.box.register_client(place.app, client_secret=place.secret, redirect_uris=["https://elsewhere.example/cb"])
    ada = visit()
    with pytest.raises(Refused):
        ada.back(ada.leave())
    assert "Not connected" in ada.get().words


@pytest.mark.parametrize("url", ["http://portal.example.com", "ftp://x", "https://u:p@x", "https://x/?q=1", "portal"])
def test_b15_address_that_codes_must_not_come_to_is_refused_at_start(place, url):
    with pytest.raises(ConfigurationError, match="is not an address that sign-ins can come back to"):
        Portal(["prod"], url=url, user=lambda request: ADA)


# -- forms, methods, headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": None},
        {"Origin": "https://other.example.com", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_b30_post_from_another_site_changes_nothing(visit, portal, headers):
    ada = visit()
    page = ada.connect()
    for button in ("Renew prod now", "Disconnect prod"):
        assert ada.press(page, button, **headers).status == 403
    assert portal.connection(ADA, "prod").state == "connected"


def test_b30_post_without_a_token_of_this_browser_changes_nothing(visit, portal):
    ada, other = visit(), visit()
    page = ada.connect()
    action, _ = page.form("Disconnect prod")
    _, theirs = other.get().form("Renew prod now")
    for fields in ({}, {"token": ""}, theirs):
        assert ada.post(action, fields).status == 403
    assert portal.connection(ADA, "prod").state == "connected"


@pytest.mark.parametrize("path", ["/connect/prod", "/disconnect/prod"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_b31_other_methods_change_nothing(visit, portal, path, method):
    ada = visit()
    ada.connect()
    assert ada.request(method, f"/lakekey{path}").status == 405
    assert portal.connection(ADA, "prod").state == "connected"


def test_b31_scanner_and_prefetch_at_the_callback_take_nothing(visit, place):
    ada = visit()
    answer = ada.back(ada.leave())
    assert ada.request("HEAD", answer).status == 204
    assert ada.request("GET", answer, headers={"Sec-Purpose": "prefetch;prerender"}).status == 204
    assert visit(None).request("GET", answer).status == 403
    assert not place.token_requests()
    assert "is connected" in ada.arrive(answer).words


def test_b32_and_b55_no_page_is_framed_cached_or_told_to_other_sites(visit):
    ada = visit()
    url = ada.leave()
    answer = ada.back(url)
    shown = [ada.get(), ada.get("/connections"), ada.request("GET", answer), ada.arrive(answer), ada.get("/nothing")]
    assert all(cleared(page) for page in shown)


def test_b33_planted_cookie_gives_nothing(visit, place):
    mallory, ada = visit(GRACE), visit(ADA)
    mallory.get()
    ada.cookies = {"__Host-Http-lakekey": "planted", "lakekey-browser": mallory.cookies["__Host-Http-lakekey"]}
    ada.get()
    assert ada.cookies["__Host-Http-lakekey"] not in ("planted", mallory.cookies["__Host-Http-lakekey"])


def test_cookie_is_bound_to_the_host_and_hidden_from_scripts(visit):
    cookie = visit().get().headers["Set-Cookie"]
    assert cookie.startswith("__Host-Http-lakekey=")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(each.startswith("domain") for each in attributes)


def test_browser_keeps_one_random_cookie_however_often_it_signs_in_and_nothing_of_a_token(visit):
    ada = visit()
    ada.connect()
    before = dict(ada.cookies)
    ada.connect("Renew prod now")
    assert ada.cookies == before
    assert [(name, is_value(value)) for name, value in before.items()] == [(COOKIE, True)]


def test_b37_what_is_not_this_users_looks_like_what_is_not_there(visit, portal, monkeypatch):
    ada, grace = visit(ADA), visit(GRACE)
    answer = grace.back(grace.leave())
    onward = grace.request("GET", answer).onward
    _, fields = ada.get().form("Connect prod")
    looks, get = [], portal.cache.store.get
    monkeypatch.setattr(portal.cache.store, "get", lambda name: looks.append(name) or get(name))

    def asked(path):
        looks.clear()
        page = ada.request("GET", path)
        return page.status, re.sub(r'value="[^"]*"', "", page.text), len(looks)

    # Neither the words nor the number of looks at the store, of which each may take a while, tell them apart.
    missing = onward[:-64] + "0" * 64
    assert asked(onward) == asked(missing) == asked(re.sub("flow=[0-9a-f]{32}", f"flow={'f' * 32}", missing))
    assert GRACE not in asked(onward)[1]
    assert ada.post("/lakekey/disconnect/other", fields).status == 404
    assert ada.get("/connections").text.count(GRACE) == 0


def test_b54_page_that_was_open_for_a_day_gets_a_new_one_with_a_word(visit):
    ada = visit()
    action, fields = ada.get().form("Connect prod")
    old = form_token(ada.cookies["__Host-Http-lakekey"], ADA, now=time.time() - 86400)
    page = ada.post(action, {**fields, "token": old})
    assert "This page was open for too long" in page.words
    assert "Connect prod" in page.buttons


# -- troubles ---------------------------------------------------------------------------------------------------


def test_b27_store_away_at_the_callback_sends_nothing_and_the_same_address_works(visit, place, portal):
    ada = visit()
    answer = ada.back(ada.leave())
    folder = Path(portal.cache.store.where) / "entries"
    folder.rename(folder.with_name("away"))
    folder.write_text("a file where the folder was")
    try:
        page = ada.request("GET", answer)
        assert (page.status, "nothing is lost" in page.words) == (503, True)
        assert ada.get("/healthz").status == 503
    finally:
        folder.unlink()
        folder.with_name("away").rename(folder)
    assert "is connected" in ada.arrive(answer).words
    assert ada.get("/healthz").status == 200


def test_b39_disconnect_ends_the_service_and_says_that_it_is_revoked(visit, portal, place):
    ada = visit()
    page = ada.connect()
    portal.provider(ADA, "prod").headers()
    done = ada.press(page, "Disconnect prod")
    assert "prod is disconnected. Databricks has revoked the session." in done.words
    assert len(place.box.stored_refresh_tokens(ADA)) == 0
    with pytest.raises(LoginRequired, match="connects at"):
        portal.provider(ADA, "prod")


def test_b40_disconnect_while_databricks_is_away_says_that_it_is_not_revoked(visit, place, portal):
    ada = visit()
    page = ada.connect()
    place.box.fault("revoke", status=503, times=None)
    done = ada.press(page, "Disconnect prod")
    assert "It could not be revoked at Databricks: a copy of its tokens may live" in done.words
    assert portal.connection(ADA, "prod").state == "not-connected"


def test_b42_session_revoked_at_databricks_asks_for_one_sign_in_and_recovers(visit, place, portal):
    ada = visit()
    ada.connect()
    place.box.revoke(ADA)
    provider = portal.provider(ADA, "prod")
    with pytest.raises(LoginRequired):
        provider.invalidate(provider.token().access_token)
    asked = len(place.token_requests())
    for _ in range(3):
        with pytest.raises(LoginRequired):
            elsewhere = Portal(["prod"], url=URL, user=lambda request: None).provider(ADA, "prod")
            elsewhere.invalidate(elsewhere.token().access_token)
    assert len(place.token_requests()) == asked  # no other worker tries it again
    page = ada.get()
    assert "Sign in again" in page.words
    assert f"{ADA} was signed in until" in page.words
    assert "is connected" in ada.connect("Sign in again for prod").words
    assert portal.provider(ADA, "prod").token()


def test_b43_endpoint_in_trouble_asks_no_person_to_sign_in(visit, place, portal):
    ada = visit()
    ada.connect()
    expire(portal)
    place.box.fault("token", status=503, times=None)
    with pytest.raises(TokenEndpointError):
        portal.provider(ADA, "prod").token()
    page = ada.get()
    assert "Try again later" in page.words
    assert "you need not sign in" in page.words
    place.box.clear_faults()
    assert portal.provider(ADA, "prod").token()
    assert "Connected" in ada.get().words


def test_b44_refused_app_is_for_the_administrator_and_drops_no_session(visit, place, portal):
    ada = visit()
    ada.connect()
    expire(portal)
    portal.registrations.rotate_secret("portal-app", "a-wrong-secret", keep_older=False)
    with pytest.raises(CredentialsRefused):
        portal.provider(ADA, "prod").token()
    page = ada.get()
    assert "Ask your administrator" in page.words
    assert "Databricks refuses the app registration portal-app" in page.words
    portal.registrations.rotate_secret("portal-app", place.secret)
    assert portal.provider(User(ADA, "again"), "prod").token()


def test_b46_session_that_nears_its_end_says_when(visit, portal):
    ada = visit()
    ada.connect()
    for seconds, words in ((3 * 86400 - 60, "Ends in 3 days"), (3600, "Ends in 1 hour"), (-5, "Sign in again")):
        change(portal, session_ends_at=time.time() + seconds)
        assert words in ada.get().words


def test_b49_portal_gives_each_of_many_users_their_own_token_and_bounded_memory(visit, portal, place):
    for user in (ADA, GRACE):
        visit(user).connect()
    tokens = {user: portal.provider(user, "prod").token().access_token for user in (ADA, GRACE)}
    assert tokens[ADA] != tokens[GRACE]

    def asked(number):
        user = (ADA, GRACE)[number % 2]
        return portal.provider(user, "prod").headers()["Authorization"] == f"Bearer {tokens[user]}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(asked, range(400)))
    assert len(portal._providers) <= 1024


def test_test_button_shows_the_identity_it_works_as(visit):
    ada = visit()
    page = ada.connect()
    assert f"prod works: {ADA} is signed in." in ada.press(page, "Test prod").words


def test_test_button_sends_a_person_refused_by_the_workspace_to_its_administrator(visit, place):
    ada = visit()
    page = ada.connect()
    place.box.fault("scim", status=403, body={"message": "not a member"}, times=None)
    words = ada.press(page, "Test prod").words
    assert "prod does not work: The workspace refuses access (HTTP 403). Ask its administrator" in words


@pytest.mark.parametrize("status", [401, 403])
def test_w15_test_button_does_not_take_a_token_that_is_dead_for_a_lack_of_permission(visit, place, status):
    ada = visit()
    page = ada.connect()
    place.box.fault("scim", status=status, body={"message": "Invalid access token"})
    assert f"prod works: {ADA} is signed in." in ada.press(page, "Test prod").words
    place.box.revoke(ADA)
    place.box.fault("scim", status=status, body={"message": "Invalid access token"}, times=None)
    said = ada.press(page, "Test prod")
    assert "Ask its administrator" not in said.words
    assert "Sign in again for prod" in said.buttons


@pytest.mark.parametrize("status", [429, 503])
def test_test_button_does_not_say_that_a_workspace_works_that_cannot_serve(visit, place, status):
    ada = visit()
    page = ada.connect()
    place.box.fault("scim", status=status, body={}, times=None)
    words = ada.press(page, "Test prod").words
    assert f"prod does not work: The workspace cannot serve requests now (HTTP {status}). Try again later." in words


@pytest.mark.parametrize("status", [302, 400, 404])
def test_test_button_does_not_take_an_answer_that_says_nothing_for_a_yes_or_a_no(visit, place, status):
    ada = visit()
    page = ada.connect()
    place.box.fault("scim", status=status, body={"message": "no"}, times=None)
    said = ada.press(page, "Test prod")
    assert f"Whether prod works is not known: {place.box.host.removeprefix('https://')} answered" in said.words
    assert f"HTTP {status}" in said.words
    assert 'class="message" role="status"' in said.text


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("is_over", [False, True])
def test_w15_test_button_renews_a_token_that_may_not_read_whose_it_is(visit, place, status, is_over):
    text = place.config_file.read_text()
    place.config_file.write_text(f"{text}scopes = sql,offline_access\n")
    ada = visit()
    page = ada.connect()
    if is_over:
        place.box.revoke(ADA)
    place.box.fault("scim", status=status, body={"message": "no"}, times=None)
    said = ada.press(page, "Test prod")
    assert ("Sign in again for prod" in said.buttons) is is_over
    narrow = f"{ADA} is signed in for prod. Whether the workspace serves {ADA} is not known"
    assert (narrow in said.words) is (status == 403 and not is_over)
    assert "prod works" not in said.words


def test_visitor_unknown_to_the_host_gets_no_sign_in(visit):
    stranger = visit(None)
    assert (stranger.get().status, stranger.get("/connections").status) == (401, 401)


def test_visitor_whose_name_cannot_be_one_is_treated_as_not_signed_in(visit):
    assert visit("x" * 400).get().status == 401


def test_profile_may_have_any_name_that_a_section_can_have(place):
    text = place.config_file.read_text()
    place.config_file.write_text(f"{text}\n{text.replace('[prod]', '[prod eu/1?#]')}")
    portal = Portal(["prod eu/1?#"], url=URL, user=lambda request: request.headers.get("x-user"))
    with serving(portal) as address:
        page = place.browser(address, ADA).get()
        action, _ = page.form("Connect prod eu/1?#")
    assert action == "/lakekey/connect/prod%20eu%2F1%3F%23"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "The connection prod is not set up correctly. Ask the administrator of this service."),
        (
            "de",
            "Die Verbindung prod ist nicht richtig eingerichtet. Bitte wenden Sie sich an die Administration dieses Dienstes.",
        ),
    ],
)
def test_profile_that_is_gone_in_mid_flow_is_told_and_the_same_address_works_later(visit, place, language, told):
    ada = visit(ADA, language=language)
    onward = ada.request("GET", ada.back(ada.leave("Connect prod" if language == "en" else "prod verbinden"))).onward
    text = place.config_file.read_text()
    place.config_file.write_text(text.replace("[prod]", "[other]"))
    page = ada.request("GET", onward)
    assert (page.status, told in page.words, page.buttons) == (409, True, [])
    assert not place.token_requests()
    place.config_file.write_text(text)
    assert ada.get().status == 200
    assert ADA in ada.request("GET", onward).words
    assert len(place.token_requests()) == 1


def test_sign_in_to_a_profile_that_the_portal_has_no_longer_is_told_on_the_page(visit, place):
    ada = visit(ADA)
    onward = ada.request("GET", ada.back(ada.leave())).onward
    place.config_file.write_text(place.config_file.read_text().replace("[prod]", "[other]"))
    later = Portal(["other"], url=URL, user=lambda request: request.headers.get("x-user"))
    with serving(Starlette(routes=[Mount("/lakekey", app=later)])) as ada.address:
        page = ada.request("GET", onward)
    assert page.status == 409
    assert "The connection prod is not offered here any more. Nothing was connected." in page.words
    assert "Connect other" in page.buttons
    assert not place.token_requests()


def test_profile_that_does_not_hold_takes_no_other_connection_along(place):
    place.config_file.write_text(f"{place.config_file.read_text()}[gone]\nhost = {place.box.host}\n")
    portal = Portal(["gone", "prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=[ADA])
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        ada = place.browser(address, ADA)
        stale = ada.get()
        place.config_file.write_text(place.config_file.read_text().replace("[gone]", "[other]"))
        page = ada.connect()
        assert f"prod is connected as {ADA}." in page.words
        assert "The connection gone is not set up correctly." in page.words
        assert [button for button in page.buttons if "gone" in button] == []
        states = [each["state"] for each in json.loads(ada.get("/connections").text)["connections"]]
        assert states == ["ask-administrator", "connected"]
        refused = ada.press(stale, "Connect gone")
        assert refused.status == 409
        assert "The connection gone is not set up correctly." in refused.words
        assert ada.get("/admin").status == 200


def test_german_page_is_german(visit):
    page = visit(language="de-CH, en;q=0.5").get()
    assert '<html lang="de">' in page.text
    assert "prod verbinden" in page.buttons


def test_user_may_be_found_by_a_coroutine(place):
    async def user(request):
        return request.headers.get("x-user")

    with serving(Portal(["prod"], url=URL, user=user)) as address:
        assert f"You are here as {ADA}" in place.browser(address, ADA).get().words


def test_w25_acting_as_another_needs_the_hosts_permission(visit, place):
    allowed = set()
    portal = Portal(
        ["prod"], url=URL, user=lambda request: request.headers.get("x-user"),
        may_act=lambda actor, user, profile: (actor.name, user.name) in allowed,
    )  # fmt: skip
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        place.browser(address, ADA).connect()
    with pytest.raises(ConfigurationError, match=f"{GRACE} may not act as {ADA}"):
        portal.provider(ADA, "prod", actor=GRACE)
    allowed.add((GRACE, ADA))
    assert portal.provider(ADA, "prod", actor=GRACE).identity() == ADA


def change(portal, **fields):
    """Changes Ada's stored entry."""
    session = Session(portal.target("prod", User(ADA)))
    stored = session.cache.read(session.entry_id)
    assert session.cache.put(session.entry_id, stored.entry._replace(**fields), replaces=stored.envelope)
    portal._providers.forget(ADA, "prod")


def expire(portal):
    """Lets Ada's access token have ended."""
    change(portal, issued_at=time.time() - 7200, expires_at=time.time() - 3600)


def test_w26_profile_that_changes_and_variable_that_is_set_count_with_the_next_look(portal, place, monkeypatch):
    def path():
        return portal.target("prod", User(ADA)).http_path

    said = place.config_file.read_text()
    for warehouse in ("/sql/1.0/warehouses/abc", "/sql/1.0/warehouses/xyz"):
        place.config_file.write_text(f"{said}http_path = {warehouse}\n")
        assert path() == warehouse
    place.config_file.write_text(said)
    assert path() is None
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", "/sql/1.0/warehouses/of-a-variable")
    assert path() == "/sql/1.0/warehouses/of-a-variable"
