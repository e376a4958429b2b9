"""An authorization server that accepts and never answers holds up its own users, and nobody else's."""

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

from lakekey.web import Portal, threads
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA, URL

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
def site(place, silent, monkeypatch):
    """An application with a route of its own, and a portal for two workspaces, of which one is silent."""
    slow = f"[slow]\nhost = {silent.host}\nclient_id = of-slow\n"
    place.config_file.write_text(f"{place.config_file.read_text()}\n{slow}")
    monkeypatch.setattr(threads, "PATIENCE_WITH_A_SERVER", 1.0)
    portal = Portal(["prod", "slow"], url=URL, user=lambda request: request.headers.get("x-user"))
    own = Route("/own", lambda request: PlainTextResponse("the application's own thread"))
    with serving(Starlette(routes=[own, Mount("/lakekey", app=portal)])) as address:
        yield address


def test_hanging_server_holds_up_its_own_users_only(site, place, silent):
    with crowd(site, place) as pages:
        silent.wait_for(threads.MOST_OF_A_SERVER)
        # All others come after them, and do not wait for the forty seconds that a request may take.
        for path in ("/lakekey/healthz", "/own"):
            assert requests.get(site + path, timeout=20).status_code == 200
        ada = Browser(site, ADA, place.box.ca_file)
        assert f"prod is connected as {ADA}." in ada.connect().words
        told = [page for page in pages if page.done()]
        silent.close()
        shown = [page.result(PATIENCE) for page in pages]
    assert {page.status for page in shown} == {503}
    busy = [page for page in shown if "Too many people wait" in page.words]
    assert len(busy) == WAITING - threads.MOST_OF_A_SERVER
    assert all(page.headers["Retry-After"] == "10" for page in busy)
    assert len(told) <= len(busy)


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


def test_limits_are_of_one_event_loop_and_wait_no_longer_than_told(monkeypatch):
    let_go = threading.Event()

    async def many():
        async with anyio.create_task_group() as group:
            for _ in range(threads.MOST_OF_A_SERVER):
                group.start_soon(threads.run, "https://one", let_go.wait, PATIENCE)
            while threads._limit("https://one", threads.MOST_OF_A_SERVER).available_tokens:
                await anyio.lowlevel.checkpoint()
            monkeypatch.setattr(threads, "PATIENCE_WITH_A_SERVER", 0.01)
            with pytest.raises(threads.Busy):
                await threads.run("https://one", time.monotonic)
            assert await threads.run("https://two", lambda: "served") == "served"
            let_go.set()
        return await threads.run("https://one", lambda: "served")

    for _ in range(2):
        let_go.clear()
        assert asyncio.run(many()) == "served"
