"""Faults that reviews of the portal have found, each as what must happen instead."""

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from lakekey.errors import CacheError, ConfigurationError, LoginFailed, WrongIdentity
from lakekey.session.session import Session
from lakekey.web import Portal, User, begin_sign_in, finish_sign_in
from lakekey.web.sign_in import SignIns, hosted_target
from support.waiting import is_kept_waiting, until
from support.web_browser import Browser
from support.web_people import query_of
from support.web_server import serving

from .conftest import ADA, GRACE, ROOT, URL

PATIENCE = 60.0


@pytest.fixture
def visit(visit):
    """Opens a browser before the portal."""
    return lambda user=ADA, **options: visit(user, **options)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {"WWW-Authenticate": 'Bearer realm="the host"'}),
        (403, {}),
        (303, {"Location": "/sign-in"}),
        (429, {"Retry-After": "7", "Cache-Control": "public", "Content-Length": "1"}),
    ],
)
def test_refusal_of_the_host_application_keeps_its_status_and_headers(place, status, headers):
    def user(_):
        raise HTTPException(status, headers=headers)

    with serving(Portal(["prod"], url=URL, user=user)) as address:
        for path in ("/", "/connections", "/finish?flow=x", "/admin"):
            answer = Browser(address, ADA, place.box.ca_file).get(path)
            assert answer.status == status
            assert answer.headers["Cache-Control"] == "no-store"
            kept = {name: value for name, value in headers.items() if name not in ("Cache-Control", "Content-Length")}
            assert {name: answer.headers.get(name) for name in kept} == kept
            assert ("application/json" in answer.headers["Content-Type"]) == (path == "/connections")


def test_route_that_takes_no_such_method_says_which_it_takes(visit):
    refused = visit().request("DELETE", "/lakekey/connect/prod")
    assert (refused.status, refused.headers["Allow"]) == (405, "POST")


def test_form_that_breaks_off_changes_nothing_and_raises_nothing(visit, caplog):
    ada = visit()
    ada.get()
    head = (
        f"POST /lakekey/disconnect/prod HTTP/1.1\r\nHost: portal.example.com\r\nX-User: {ADA}\r\nContent-Length: 99\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n"
    )
    at = urlsplit(ada.address)
    with socket.create_connection((at.hostname, at.port), timeout=PATIENCE) as gone:
        gone.sendall(head.encode() + b"token=")
    ada.get()
    assert "ClientDisconnect" not in caplog.text


@pytest.mark.parametrize("path", ["/lakekey/", "/lakekey/admin", "/lakekey/connect/prod"])
def test_websocket_is_closed_before_it_is_open(portal, path):
    told = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        told.append(message["type"])

    scope = {"type": "websocket", "path": path, "root_path": "", "headers": [], "query_string": b"", "scheme": "ws"}
    asyncio.run(portal(scope, receive, send))
    assert told == ["websocket.close"]


def test_answer_that_comes_to_a_host_with_another_store_is_logged(visit, place, tmp_path, caplog):
    """Two hosts at one address, each with a file store of its own: the answer lands where the sign-in is not known."""
    ada = visit()
    answer = ada.back(ada.leave())
    other = {**os.environ, "LAKEKEY_CACHE_DIR": str(tmp_path / "another host")}
    with serving(Portal(["prod"], url=URL, user=lambda _: ADA, environ=other)) as address:
        ada.address, here = address, ada.address
        assert "took too long, or was not started here" in ada.request("GET", answer).words
    assert "hosts that serve one address need one store (LAKEKEY_STORE)" in caplog.text
    ada.address = here
    assert "is connected" in ada.arrive(answer).words


# -- addresses and hosts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "on its own"])
def test_answer_with_a_slash_at_its_path_is_not_sent_on_to_a_forged_host(portal, place, mounted):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)]) if mounted else portal) as address:
        ada = Browser(address, ADA, place.box.ca_file)
        answer = ada.back(ada.leave()).replace("?", "/?")
        page = ada.request("GET", answer, headers={"Host": "evil.example"})
        assert (page.status, page.headers.get("Location")) == (200, None)
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert f"prod is connected as {ADA}." in ada.arrive(answer).words
        nothing = ada.get("/nothing/", headers={"Host": "evil.example"})
        assert (nothing.status, nothing.headers.get("Location")) == (404, None)


@pytest.fixture
def at_home(place):
    """A browser before a portal on loopback, in which every visitor is Ada."""
    portal = Portal(["prod"], url="http://LocalHost:8400", user=lambda request: ADA)
    with serving(portal) as address:
        yield Browser(address, None, place.box.ca_file, origin="http://localhost:8400", base="")


@pytest.mark.parametrize("host", ["evil.example:8400", "localhost.evil.example", "[::1", "", "127.0.0.1.evil.example"])
def test_portal_on_loopback_answers_no_name_that_is_not_loopback(at_home, host):
    for path in ("/", "/connections", "/healthz", "/callback/prod?code=c&state=s", "/nothing"):
        page = at_home.get(path, headers={"Host": host})
        assert (page.status, ADA in page.text, page.headers["X-Frame-Options"]) == (421, False, "DENY")


@pytest.mark.parametrize("host", ["localhost:8400", "127.0.0.1:8400", "[::1]:8400", "LOCALHOST"])
def test_portal_on_loopback_answers_loopback_names(at_home, host):
    assert at_home.get(headers={"Host": host}).status == 200


def test_browser_that_uses_another_name_of_this_machine_is_told_before_it_leaves(at_home, place):
    said = "You opened this page at http://127.0.0.1:8400, and sign-ins come back to http://LocalHost:8400"
    at_the_other_name = {"Host": "127.0.0.1:8400"}
    page = at_home.get(headers=at_the_other_name)
    assert (page.status, said in page.words) == (200, True)
    assert "come back to" not in at_home.get(headers={"Host": "localhost:8400"}).words
    pressed = at_home.press(page, "Connect prod", Origin="null", **at_the_other_name)
    assert (pressed.status, said in pressed.words, pressed.onward) == (403, True, None)
    assert at_home.press(pressed, "Connect prod").onward


@pytest.mark.parametrize(
    ("origin", "site", "status"),
    [
        ("http://localhost:8400", "same-origin", 200),
        ("null", "same-origin", 200),
        (None, None, 200),
        ("http://evil.example:8400", "same-origin", 403),
        ("http://localhost:8401", "same-origin", 403),
        ("null", None, 403),
    ],
)
def test_form_counts_only_from_the_portals_own_origin(at_home, origin, site, status):
    headers = {"Origin": origin, "Sec-Fetch-Site": site}
    assert at_home.press(at_home.get(), "Connect prod", **headers).status == status


def test_address_with_the_usual_port_or_capitals_is_the_same_origin(place):
    portal = Portal(["prod"], url="https://Portal.Example.com:443/lakekey", user=lambda request: ADA)
    with serving(portal) as address:
        ada = Browser(address, None, place.box.ca_file)
        assert ada.press(ada.get(), "Connect prod").status != 403


def test_error_that_was_not_foreseen_is_a_page_of_ours_that_tells_nothing_of_it(place):
    def user(request):
        raise RuntimeError("a secret of the host")

    with serving(Portal(["prod"], url=URL, user=user)) as address:
        page = Browser(address, ADA, place.box.ca_file).get()
        assert (page.status, page.headers.get("X-Frame-Options")) == (500, "DENY")
        assert "Something went wrong" in page.words
        assert "a secret of the host" not in page.text


# -- stores that fail half-way ----------------------------------------------------------------------------------


class SignIn:
    """Ada's sign-in, whose answer has arrived."""

    def __init__(self, place, signs_in=ADA):
        begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
        self.sign_ins = SignIns()
        self.browser = begun.cookie.value
        query = query_of(place.consent(begun.url, signs_in))
        self.handle = self.sign_ins.receive(query, browser=self.browser, registration="").handle
        session = Session(hosted_target("prod", User(ADA), self.sign_ins.environ))
        self.cache, self.entry_id = session.cache, session.entry_id

    def given(self):
        """What both steps need."""
        target_of = lambda _: hosted_target("prod", User(ADA), self.sign_ins.environ)  # noqa: E731
        return {"browser": self.browser, "user": User(ADA), "target_of": target_of}

    def finish(self, sign_ins=None):
        """The second step."""
        return (sign_ins or self.sign_ins).second_step.finish(self.handle, **self.given())

    def answer(self, sign_ins=None, *, accept=True):
        """The answer to the question."""
        return (sign_ins or self.sign_ins).second_step.answer(self.handle, accept=accept, **self.given())


@contextmanager
def away(cache):
    """The store cannot be reached: a file is where its folder was."""
    folder = Path(cache.store.where) / "entries"
    folder.rename(folder.with_name("away"))
    folder.write_text("a file where the folder was")
    try:
        yield
    finally:
        folder.unlink()
        folder.with_name("away").rename(folder)


@contextmanager
def held_up(sign_in, step):
    """A step in a thread of its own that waits for the entry's lock, which is held here; gives its future."""
    idents = []
    with ThreadPoolExecutor(1) as pool, sign_in.cache.locked(sign_in.entry_id, patience=PATIENCE):
        future = pool.submit(lambda: (idents.append(threading.get_ident()), step())[1])
        until(lambda: (idents and is_kept_waiting(idents[0])) or future.done())
        assert not future.done(), future
        yield future


def test_store_that_goes_away_in_the_second_step_loses_no_code(place):
    sign_in = SignIn(place)
    with held_up(sign_in, sign_in.finish) as future, away(sign_in.cache):
        assert isinstance(future.exception(PATIENCE), CacheError)
    assert not place.token_requests()
    assert sign_in.finish().code == "connected"
    assert len(place.token_requests()) == 1


def test_store_that_goes_away_while_an_answer_is_stored_loses_no_tokens(place):
    sign_in = SignIn(place, signs_in=GRACE)
    assert sign_in.finish().code == "other-person"
    with held_up(sign_in, sign_in.answer) as future, away(sign_in.cache):
        assert isinstance(future.exception(PATIENCE), CacheError)
    assert sign_in.finish().code == "busy"
    later = SignIns(clock=lambda: time.time() + 61)
    asked = sign_in.finish(later)
    assert (asked.code, asked.who, asked.expected) == ("other-person", GRACE, ADA)
    assert sign_in.answer(later).code == "connected"
    assert len(place.token_requests()) == 1


def test_question_is_not_asked_again_while_its_answer_is_stored(place):
    sign_in = SignIn(place, signs_in=GRACE)
    assert sign_in.finish().code == "other-person"
    with held_up(sign_in, sign_in.answer) as future:
        assert (sign_in.answer().code, sign_in.finish().code) == ("busy", "busy")
    assert (future.result(PATIENCE).code, sign_in.answer().code) == ("connected", "connected")


def test_answer_that_is_settled_twice_puts_no_spent_token_back(place):
    sign_in = SignIn(place, signs_in=GRACE)
    assert sign_in.finish().code == "other-person"
    before = sign_in.sign_ins.flows.find(sign_in.handle)
    assert sign_in.answer().code == "connected"
    stored = sign_in.cache.read(sign_in.entry_id)
    renewed = stored.entry._replace(refresh_token="a-newer-refresh-token")
    assert sign_in.cache.put(sign_in.entry_id, renewed, replaces=stored.envelope)
    sign_in.sign_ins.flows.change(sign_in.handle, lambda _: before)  # its worker died before it noted the outcome
    assert sign_in.answer().code == "connected"
    assert sign_in.cache.get(sign_in.entry_id).refresh_token == "a-newer-refresh-token"


# -- offboarding ------------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(visit, portal):
    """Ada and Grace are connected, and Ada's entry cannot be read any more; gives its id."""
    visit(ADA).connect()
    visit(GRACE).connect()
    entry_id = Session(portal.target("prod", User(ADA))).entry_id
    file = Path(portal.cache.store.where) / "entries" / f"{entry_id}.entry"
    file.unlink()
    file.mkdir()
    return entry_id


def test_person_whose_entry_cannot_be_read_is_not_reported_as_removed(spoilt, portal, visit):
    assert [held.user for held in portal.everyone.all()] == [GRACE]
    with pytest.raises(CacheError, match=f"cannot be read .*removed for {ADA}: 0"):
        portal.everyone.remove(ADA)
    with pytest.raises(CacheError, match="nothing is removed"):
        portal.everyone.remove_one(spoilt)
    with pytest.raises(CacheError, match=f"removed for {GRACE}: 1"):
        portal.everyone.remove(GRACE)
    root = visit(ROOT)
    _, fields = root.get("/admin").form("Register")
    page = root.post("/lakekey/admin", {**fields, "do": "remove-user", "user": ADA})
    assert (page.status, "cannot be read" in page.words) == (503, True)


def test_app_is_not_removed_while_an_entry_that_may_need_it_cannot_be_read(spoilt, portal):
    portal.everyone.remove_one(Session(portal.target("prod", User(GRACE))).entry_id)
    with pytest.raises(CacheError):
        portal.registrations.remove("portal-app")
    assert portal.registrations.get("portal-app")
    assert portal.registrations.remove("portal-app", with_connections=True) == 0


def test_removal_of_a_person_without_a_connection_is_told_as_that(portal, visit):
    with pytest.raises(ConfigurationError, match=r"ada@example\.com has no connection"):
        portal.everyone.remove(ADA)
    root = visit(ROOT)
    _, fields = root.get("/admin").form("Register")
    page = root.post("/lakekey/admin", {**fields, "do": "remove-user", "user": "Ada@example.com"})
    assert (page.status, f"{ADA} has no connection" in page.words) == (409, True)


# -- names of profiles, and the two halves ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Prod_EU 1", "_prod", "прод"])
def test_profile_with_a_client_of_its_own_may_have_any_name(place, name):
    section = place.config_file.read_text().replace("[prod]", f"[{name}]")
    place.config_file.write_text(f"{section}client_id = {place.app}\n", encoding="utf-8")
    portal = Portal([name], url=URL, user=lambda request: ADA)
    portal.registrations.remove(place.app)
    with serving(portal) as address:
        page = Browser(address, ADA, place.box.ca_file).get()
    assert (page.status, f"Connect {name}" in page.buttons) == (200, True)
    (app,) = portal.registrations.all()
    assert app.redirect_uri == f"{URL}/callback/{app.name}"


def test_profile_that_has_become_wrong_is_for_the_administrator_and_not_the_store(portal, place, visit):
    root = visit()
    before = root.connect()
    place.config_file.write_text("[other]\nhost = https://x.cloud.databricks.com\n")
    page = root.get()
    assert (page.status, "store" in page.words) == (200, False)
    assert "Ask your administrator" in page.words
    refused = root.press(before, "Disconnect prod")  # of a page that was open before
    assert (refused.status, "The connection prod is not set up correctly." in refused.words) == (500, True)
    assert '<a href="/lakekey/">Back to the connections</a>' in refused.text


@pytest.mark.parametrize("given", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_half_remembers_no_way_to_another_site(place, given):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri, return_to=given)
    answer = query_of(place.consent(begun.url))
    done = finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value)
    assert (done.code, done.return_to) == ("connected", "")


def test_half_finishes_no_sign_in_of_another_profile(place):
    text = place.config_file.read_text()
    place.config_file.write_text(f"{text}\n{text.replace('[prod]', '[test]')}")
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    given = {"answer": query_of(place.consent(begun.url)), "user": ADA, "browser": begun.cookie.value}
    with pytest.raises(LoginFailed, match="was begun for prod"):
        finish_sign_in("test", **given)
    assert not place.token_requests()
    assert finish_sign_in("prod", **given).code == "connected"
    with pytest.raises(LoginFailed, match="was begun for prod"):
        finish_sign_in("test", **given)


def test_hint_of_another_person_names_who_was_expected(place):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    answer = query_of(place.consent(begun.url, GRACE))
    with pytest.raises(WrongIdentity) as refusal:
        finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value)
    assert refusal.value.hint == f"sign in as {ADA}, or allow it"


def test_request_that_ends_in_two_ways_brings_no_second_one_along(portal):
    """Behind a proxy that goes by its length, the second would be a visitor's own, with a header of their choice."""
    with serving(portal) as address:
        at = urlsplit(address)
        with socket.create_connection((at.hostname, at.port), timeout=PATIENCE) as connection:
            connection.sendall(
                b"POST /connect/prod HTTP/1.1\r\nHost: portal.example.com\r\nContent-Length: 99\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                b"GET /admin HTTP/1.1\r\nHost: portal.example.com\r\nX-User: root@example.com\r\n\r\n"
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Administration" not in answer
