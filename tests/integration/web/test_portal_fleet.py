"""The portal on stores that hosts share: each worker has a home of its own, and nothing but the store in common."""

import re
import threading

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.web import Portal
from support.servers.postgresql import Postgresql
from support.servers.redis import Redis
from support.waiting import until
from support.web_browser import Browser
from support.web_server import serving
from support.web_workers import PATIENCE, workers

from .conftest import ADA, GRACE, KEY, URL, Place


@pytest.fixture(scope="module", params=[Postgresql, Redis], ids=["postgresql", "redis"])
def server(request):
    with request.param() as server:
        yield server


@pytest.fixture
def fleet(lakekey_environment, server, tmp_path, monkeypatch, unattended):
    """An app that is registered in the shared store; gives its place, and two hosts' worker processes."""
    server.clear()
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKEKEY_STORE", server.address)
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", KEY)
    lakekey_environment.revoke()
    place = Place(lakekey_environment, tmp_path)
    place.register()
    return place


@pytest.fixture
def browser(fleet):
    """Ada's browser, at a portal of this process."""
    portal = Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"))
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield Browser(address, ADA, fleet.box.ca_file)


def a_home(directory):
    return lambda number: {
        "HOME": str(directory / f"host-{number}"),
        "LAKEKEY_CACHE_DIR": str(directory / f"c-{number}"),
    }


def test_b28_each_step_on_another_host_connects_the_person_for_all(fleet, tmp_path):
    with workers(tmp_path, URL, environ_of=a_home(tmp_path)) as ((_, first), (_, second)):
        ada = Browser(first, ADA, fleet.box.ca_file)
        answer = ada.back(ada.leave())
        ada.address = second
        onward = ada.request("GET", answer).onward
        ada.address = first
        assert f"prod is connected as {ADA}." in ada.request("GET", onward).words
        for address in (first, second):
            shown = requests.get(f"{address}/whoami", headers={"X-User": ADA}, timeout=PATIENCE)
            assert shown.json()["Authorization"].startswith("Bearer ")
        assert len(fleet.token_requests()) == 1
        ada.address = second
        assert "is disconnected" in ada.press(ada.get(), "Disconnect prod").words
        refused = requests.get(
            f"{second}/whoami", headers={"X-User": ADA, "Accept": "application/json"}, timeout=PATIENCE
        )
        assert refused.status_code == 401


def test_b27_store_that_restarts_in_the_midst_of_a_sign_in_loses_nothing(fleet, server, tmp_path):
    with workers(tmp_path, URL, 1, a_home(tmp_path)) as ((_, address),):
        ada, grace = Browser(address, ADA, fleet.box.ca_file), Browser(address, GRACE, fleet.box.ca_file)
        answer = ada.back(ada.leave())
        server.stop()
        away = ada.request("GET", answer)
        assert (away.status, "Nothing was sent and nothing is lost." in away.words) == (503, True)
        assert grace.get().status == 503
        assert not fleet.token_requests()
        server.start()
        assert f"prod is connected as {ADA}." in ada.arrive(answer).words
        assert f"prod is connected as {GRACE}." in grace.connect().words


@pytest.mark.parametrize("server", [pytest.param(Postgresql, id="postgresql")], indirect=True)
def test_sign_in_makes_a_connection_for_each_request_and_one_after_the_exchange(browser, server):
    assert "is connected" in browser.connect().words  # the first of all finds the authorization server and the key
    page = browser.get()
    until(lambda: server.worker_connections() == 0)
    with server.watched() as shown:
        assert "is connected" in browser.arrive(browser.back(browser.press(page, "Renew prod now").onward)).words
        made = re.compile(r"connection authorized: user=worker")
        until(lambda: len(made.findall(shown())) >= 4 and server.worker_connections() == 0)
        assert len(made.findall(shown())) == 4


def test_f7_no_connection_is_open_while_the_exchange_or_the_question_of_membership_waits(browser, fleet, server):
    for route in ("token", "scim"):
        answer = browser.back(browser.leave())
        fleet.box.fault(route, hang=True)
        finishing = threading.Thread(target=browser.arrive, args=(answer,), daemon=True)
        finishing.start()
        until(lambda: fleet.box.faults_left == 0)
        until(lambda: server.worker_connections() == 0)  # a renewal of the lease is over in a moment
        assert finishing.is_alive()
        fleet.box.clear_faults()
        finishing.join(PATIENCE)
        assert not finishing.is_alive()
