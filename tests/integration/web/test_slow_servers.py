"""An authorization server that accepts and never answers holds up its own users only."""

import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio.lowlevel
import pytest
import requests
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from lakekey.errors import StoreUnavailable
from lakekey.web import Portal, threads
from lakekey.web.health import Health
from lakekey.web.patience import Patience
from lakekey.web.threads import Threads
from support.waiting import until
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA, GRACE, URL

WAITING = 50
PATIENCE = 60.0


class Silent:
    """A server that accepts connections, and never answers."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=WAITING)
        self._held, self._came = [], threading.Condition()
        self.host = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._came:
                self._held.append(connection)
                self._came.notify_all()

    def wait_for(self, count):
        """Waits until so many have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._held) >= count, PATIENCE)

    def close(self):
        """Lets all of them go."""
        with contextlib.suppress(OSError):  # it is closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._came:
            for connection in self._held:
                connection.close()


@contextmanager
def crowd(address, place):
    """Fifty people press the button of a workspace whose server is silent; gives their pages, once they are there."""
    people = [Browser(address, f"person{number}@example.com", place.box.ca_file) for number in range(WAITING)]
    started = threading.Barrier(WAITING + 1)

    def press(person):
        page = person.get()
        started.wait(PATIENCE)
        return person.press(page, "Connect slow")

    with ThreadPoolExecutor(WAITING) as pool:
        pages = [pool.submit(press, person) for person in people]
        started.wait(PATIENCE)
        yield pages


@pytest.fixture
def silent():
    server = Silent()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def site(place, silent):
    """An application with a route of its own, and a portal for two workspaces, of which one is silent."""
    slow = f"[slow]\nhost = {silent.host}\nclient_id = of-slow\n"
    place.config_file.write_text(f"{place.config_file.read_text()}\n{slow}")
    portal = Portal(["prod", "slow"], url=URL, user=lambda request: request.headers.get("x-user"))
    portal.patience = Patience(turn_at_a_server=1.0)
    own = Route("/own", lambda request: PlainTextResponse("the application's own thread"))
    with serving(Starlette(routes=[own, Mount("/lakekey", app=portal)])) as address:
        yield address


@pytest.fixture
def portal_of_own_route(place):
    """A portal, and an application with a route that needs a connection."""
    portal = Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"))
    portal.patience = Patience(turn_at_a_server=1.0)

    async def me(request):
        await portal.require("prod")(request)
        return PlainTextResponse("served")

    with serving(Starlette(routes=[Route("/me", me), Mount("/lakekey", app=portal)])) as address:
        yield portal, address


def test_hanging_server_holds_up_its_own_users_only(site, place, silent):
    with crowd(site, place) as pages:
        silent.wait_for(threads.MOST_OF_A_SERVER)
        # All others come after them, and do not wait for the forty seconds that a request may take.
        for path in ("/lakekey/healthz", "/own"):
            assert requests.get(site + path, timeout=20).status_code == 200
        ada = Browser(site, ADA, place.box.ca_file)
        assert f"prod is connected as {ADA}." in ada.connect().words
        until(lambda: sum(page.done() for page in pages) >= WAITING - threads.MOST_OF_A_SERVER)
        silent.close()
        shown = [page.result(PATIENCE) for page in pages]
    assert {page.status for page in shown} == {503}
    busy = [page for page in shown if "Too many people are waiting" in page.words]
    assert len(busy) == WAITING - threads.MOST_OF_A_SERVER
    assert all(page.headers["Retry-After"] == "10" for page in busy)


def test_route_of_a_person_with_a_live_token_waits_for_no_server(place, portal_of_own_route, monkeypatch):
    portal, address = portal_of_own_route
    ada = Browser(address, ADA, place.box.ca_file)
    assert f"prod is connected as {ADA}." in ada.connect().words
    me = {"x-user": ADA, "accept": "application/json"}
    assert requests.get(f"{address}/me", headers=me, timeout=20).text == "served"
    let_go, there = threading.Event(), threading.Barrier(threads.MOST_OF_A_SERVER + 1)

    def hangs():
        there.wait(PATIENCE)
        let_go.wait(PATIENCE)

    monkeypatch.setattr(portal.sign_ins, "begin", lambda *_, **__: hangs())
    with ThreadPoolExecutor(threads.MOST_OF_A_SERVER) as pool:
        try:
            for number in range(threads.MOST_OF_A_SERVER):
                person = Browser(address, f"person{number}@example.com", place.box.ca_file)
                pool.submit(person.press, person.get(), "Connect prod")
            there.wait(PATIENCE)
            assert requests.get(f"{address}/me", headers=me, timeout=20).text == "served"
            portal._providers.forget(ADA, "prod")  # as half a minute does: the next one has the token from the store
            assert requests.get(f"{address}/me", headers=me, timeout=20).text == "served"
        finally:
            let_go.set()


def test_one_impatient_user_does_not_take_all_turns_at_a_slow_server(place, portal_of_own_route, monkeypatch):
    portal, address = portal_of_own_route
    let_go, asked, begin = threading.Event(), threading.Semaphore(0), portal.sign_ins.begin

    def slow(target, user, **options):
        if user.name == GRACE:
            asked.release()
            let_go.wait(PATIENCE)
        return begin(target, user, **options)

    monkeypatch.setattr(portal.sign_ins, "begin", slow)
    grace = Browser(address, GRACE, place.box.ca_file)
    page, clicks = grace.get(), threads.MOST_OF_A_SERVER + 4
    with ThreadPoolExecutor(clicks) as pool:
        pressed = [pool.submit(grace.press, page, "Connect prod") for _ in range(clicks)]
        try:
            for _ in range(threads.MOST_OF_A_USER):
                assert asked.acquire(timeout=PATIENCE)
            ada = Browser(address, ADA, place.box.ca_file)
            assert f"prod is connected as {ADA}." in ada.connect().words
        finally:
            let_go.set()
        shown = [each.result(PATIENCE) for each in pressed]
    assert {each.status for each in shown} <= {200, 503}
    assert f"prod is connected as {GRACE}." in grace.connect(signs_in=GRACE).words


def test_limits_of_users_are_gone_with_their_requests():
    async def many():
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(Threads(Patience()).run_for, f"person{number % 2}", "https://one", time.monotonic)
        return set(threads._limits.get())

    assert asyncio.run(many()) == {"", "https://one"}


@pytest.mark.parametrize(("path", "name"), [("/healthz", threads.HEALTH), ("/connections", threads.STORE)])
def test_program_that_is_put_off_is_told_so_in_json(place, monkeypatch, path, name):
    monkeypatch.setitem(threads._MOST, name, 1)
    portal = Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"))
    portal.patience = Patience(turn=0.2)
    begun, let_go = threading.Event(), threading.Event()

    def hangs(*_, **__):
        begun.set()
        let_go.wait(PATIENCE)
        return []

    monkeypatch.setattr(portal.registrations, "all", hangs)
    monkeypatch.setattr(portal, "connections", hangs)
    with serving(portal) as address, ThreadPoolExecutor(1) as pool:
        first = pool.submit(requests.get, f"{address}/lakekey{path}", headers={"x-user": ADA}, timeout=PATIENCE)
        try:
            assert begun.wait(PATIENCE)
            put_off = requests.get(f"{address}/lakekey{path}", headers={"x-user": ADA}, timeout=20)
        finally:
            let_go.set()
        assert first.result(PATIENCE).status_code == 200
    assert (put_off.status_code, put_off.headers["Content-Type"]) == (503, "application/json")
    assert (put_off.json()["error"], put_off.headers["Retry-After"]) == ("busy", "10")
    assert put_off.headers["Cache-Control"] == "no-store"


def test_callables_of_the_application_that_block_do_not_block_the_event_loop(place):
    asked, go_on = threading.Event(), threading.Event()

    def blocks(user):
        asked.set()
        return go_on.wait(PATIENCE)

    portal = Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=blocks)
    with serving(portal) as address, ThreadPoolExecutor(2) as pool:
        page = pool.submit(Browser(address, ADA, place.box.ca_file).get)
        admin = pool.submit(Browser(address, ADA, place.box.ca_file).get, "/admin")
        try:
            assert asked.wait(PATIENCE)
            assert requests.get(f"{address}/lakekey/healthz", timeout=20).status_code == 200
        finally:
            go_on.set()
        assert "Administration" in page.result(PATIENCE).words
        assert admin.result(PATIENCE).status == 200


def test_flood_of_probes_looks_at_the_store_once_and_recovery_shows_at_once():
    looked, let_go, broken = [], threading.Event(), threading.Event()

    def look():
        looked.append(1)
        assert let_go.wait(PATIENCE)
        if broken.is_set():
            raise StoreUnavailable("away")

    async def probes(health, count):
        told = []

        async def probe():
            told.append(await health.trouble())

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(probe)
            while not looked:
                await anyio.lowlevel.checkpoint()
            let_go.set()
        return told

    health = Health(look, Threads(Patience()), stands=PATIENCE)
    assert asyncio.run(probes(health, 500)) == [None] * 500
    assert len(looked) <= threads._MOST[threads.HEALTH]
    broken.set()
    health = Health(look, Threads(Patience()), stands=PATIENCE)
    assert asyncio.run(probes(health, 1)) == ["store_unavailable"]
    broken.clear()
    assert asyncio.run(probes(health, 1)) == [None]


def test_schedules_that_are_slow_to_tell_hold_up_neither_the_store_nor_other_callables(place):
    """More pages wait for them than the store has threads: what needs the store, or says who is there, goes on."""
    asked, go_on = threading.Semaphore(0), threading.Event()

    def slow():
        asked.release()
        go_on.wait(PATIENCE)
        return []

    portal = Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"), schedules=slow)
    with serving(portal) as address, ThreadPoolExecutor(20) as pool:
        pages = [pool.submit(Browser(address, ADA, place.box.ca_file).get) for _ in range(20)]
        try:
            for _ in range(16):
                assert asked.acquire(timeout=PATIENCE)
            unknown = f"{address}/lakekey/callback/{place.app}?code=c&state={'s' * 60}"
            assert requests.get(unknown, timeout=PATIENCE).status_code == 400
            assert Browser(address, None, place.box.ca_file).get().status == 401
        finally:
            go_on.set()
        assert {page.result(PATIENCE).status for page in pages} == {200}


def test_limits_are_of_one_event_loop_and_wait_no_longer_than_told():
    let_go, patient = threading.Event(), Threads(Patience())

    async def many():
        async with anyio.create_task_group() as group:
            for _ in range(threads.MOST_OF_A_SERVER):
                group.start_soon(patient.run, "https://one", let_go.wait, PATIENCE)
            while threads._limit("https://one", threads.MOST_OF_A_SERVER).available_tokens:
                await anyio.lowlevel.checkpoint()
            with pytest.raises(threads.Busy):
                await Threads(Patience(turn_at_a_server=0.01)).run("https://one", time.monotonic)
            assert await patient.run("https://two", lambda: "served") == "served"
            let_go.set()
        return await patient.run("https://one", lambda: "served")

    for _ in range(2):
        let_go.clear()
        assert asyncio.run(many()) == "served"
