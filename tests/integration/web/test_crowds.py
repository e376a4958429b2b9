"""Five hundred people before one server at once, each with their own header; and clicks that cross each other."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from lakekey.cache.entry import Entry
from lakekey.errors import LoginRequired
from lakekey.session.session import Session
from lakekey.web import Portal, User
from support.waiting import until
from support.web_server import serving

from .conftest import ADA, URL

PEOPLE, AT_ONCE = 500, 24
PATIENCE = 60.0


def person(number):
    return f"person{number}@example.com"


class TokenServer(ThreadingHTTPServer):
    """An authorization server whose tokens say whose they are; it answers the later, the earlier one has asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked, self.guard = [], threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Answering(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        issuer = f"{self.server.url}/oidc"
        endpoints = {
            name: f"{issuer}/{name.partition('_')[0]}" for name in ("token_endpoint", "authorization_endpoint")
        }
        self._answer({"issuer": issuer, "code_challenge_methods_supported": ["S256"], **endpoints})

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        whose = form["refresh_token"][0].partition(":")[0]
        with self.server.guard:
            self.server.asked.append(whose)
            place = len(self.server.asked)
        time.sleep(0.02 * (place % 4))
        self._answer({"access_token": f"{whose}:new", "token_type": "Bearer", "expires_in": 3600})

    def _answer(self, fields):
        body = json.dumps(fields).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def crowd(place, monkeypatch):
    """A portal with the connections of five hundred people, of which every fifth has to be renewed."""
    monkeypatch.setenv("LAKEKEY_STORE", "memory:")
    with TokenServer() as server:
        place.config_file.write_text(f"[prod]\nhost = {server.url}\nclient_id = an-app\n")
        portal = Portal(["prod"], url="http://localhost:8030", user=lambda request: request.headers.get("x-user"))
        portal._providers.most = 100
        now = time.time()
        for number in range(PEOPLE):
            who = person(number)
            target = portal.target("prod", User(who))
            about = {**target.description(), "portal_user": {"name": who, "id": ""}}
            expires_at = now + (-60 if number % 5 == 0 else 3600)
            entry = Entry(
                about, access_token=f"{who}:old", refresh_token=f"{who}:refresh", identity=who, issued_at=now - 3600,
                expires_at=expires_at, logged_in_at=now, scopes=("all-apis",),
            )  # fmt: skip
            portal.cache.put(Session(target).entry_id, entry, replaces=None)
        yield portal, server


def test_b49_header_of_each_of_500_people_at_once_is_their_own(crowd):
    portal, server = crowd

    async def whoami(request):
        provider = await portal.require("prod")(request)
        return JSONResponse(provider.headers()["Authorization"])

    with serving(Starlette(routes=[Route("/whoami", whoami)])) as address:
        at = urlsplit(address)

        def ask(first):
            connection = http.client.HTTPConnection(at.hostname, at.port, timeout=PATIENCE)
            wrong = []
            for number in [*range(first, PEOPLE, AT_ONCE), *range(first, PEOPLE, 2 * AT_ONCE)]:
                connection.request("GET", "/whoami", headers={"X-User": person(number), "Accept": "application/json"})
                header = json.loads(connection.getresponse().read())
                if header != f"Bearer {person(number)}:{'new' if number % 5 == 0 else 'old'}":
                    wrong.append((person(number), header))
            connection.close()
            return wrong

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert [each for wrong in pool.map(ask, range(AT_ONCE)) for each in wrong] == []
    assert sorted(server.asked) == sorted(person(number) for number in range(0, PEOPLE, 5))
    assert len(portal._providers) <= 100


# -- clicks that cross each other -------------------------------------------------------------------------------


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"))


@pytest.fixture
def ada(place, portal):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        browser = place.browser(address, ADA)
        browser.connect()
        yield browser


def revocations(place):
    return [record.status for record in place.box.log if record.route == "revoke"]


def test_b39_clicks_at_once_revoke_once_and_all_say_what_became_of_the_connection(ada, place, portal, caplog):
    caplog.set_level("INFO", "lakekey.audit")
    action, fields = ada.get().form("Disconnect prod")
    at_once = threading.Barrier(4)

    def click(_):
        at_once.wait(PATIENCE)
        return ada.post(action, fields)

    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(click, range(4)))
    assert [page.status for page in pages] == [200] * 4
    done = ("prod is disconnected. Databricks has revoked the session.", "prod was not connected.")
    assert all(any(words in page.words for words in done) for page in pages)
    assert any(done[0] in page.words for page in pages)
    assert revocations(place) == [200]
    said = [getattr(each, "lakekey.event") for each in caplog.records if each.name == "lakekey.audit"]
    assert said.count("sign_out") == 1
    assert place.box.stored_refresh_tokens(ADA) == []


def test_b39_disconnect_during_a_renewal_is_not_undone_by_its_answer(ada, place, portal):
    session = Session(portal.target("prod", User(ADA)))
    stored = session.cache.read(session.entry_id)
    ended = stored.entry._replace(issued_at=time.time() - 7200, expires_at=time.time() - 3600)
    session.cache.put(session.entry_id, ended, replaces=stored.envelope)
    page, before = ada.get(), len(place.token_requests())
    place.box.fault("token", delay=1.0)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(portal.provider(ADA, "prod").token)
        until(lambda: not place.box.faults_left)
        assert "prod is disconnected." in ada.press(page, "Disconnect prod").words
        renewing.result(PATIENCE)  # it was asked for before; its token is revoked with the session
    assert len(place.token_requests()) == before + 1
    assert place.box.stored_refresh_tokens(ADA) == []
    assert session.peek() is None
    with pytest.raises(LoginRequired):
        portal.provider(ADA, "prod")


def test_b39_disconnect_reaches_sixteen_processes_within_the_bound(ada, place):
    bound = 0.5
    program = [sys.executable, "-m", "support.programs.acting_processes", URL, ADA, "16", str(bound)]
    support = str(Path(__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": support}
    with subprocess.Popen(
        program, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as acting:
        assert [acting.stdout.readline() for _ in range(16)] == ["served\n"] * 16
        before = len(place.token_requests())
        assert "prod is disconnected." in ada.press(ada.get(), "Disconnect prod").words
        time.sleep(bound)  # the bound itself
        said, errors = acting.communicate("", PATIENCE)
    assert (said.splitlines(), errors) == (["refused"] * 16, "")
    assert len(place.token_requests()) == before
    assert place.box.stored_refresh_tokens(ADA) == []
