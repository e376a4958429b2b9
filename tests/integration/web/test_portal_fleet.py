"""The portal on stores that hosts share: each worker has a home of its own, and nothing but the store in common."""

import contextlib
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.cache.app_registrations import NAME
from lakekey.errors import CacheError
from lakekey.session.session import Session
from lakekey.web import Portal, User, begin_sign_in
from lakekey.web.sign_in import SignIns, hosted_target
from support.servers.postgresql import Postgresql
from support.servers.redis import Redis
from support.waiting import is_kept_waiting, until
from support.web_browser import Browser
from support.web_people import query_of
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


@contextlib.contextmanager
def visited(fleet, profiles=("prod",), **options):
    """Ada's browser, at a portal of this process."""
    given = {"user": lambda request: request.headers.get("x-user"), **options}
    portal = Portal(profiles, url=URL, **given)
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield Browser(address, ADA, fleet.box.ca_file)


@pytest.fixture
def browser(fleet):
    with visited(fleet) as browser:
        yield browser


def test_another_account_that_is_connected_is_the_one_that_this_host_acts_as(fleet):
    given = {"user": lambda request: request.headers.get("x-user")}
    with visited(fleet) as browser:
        browser.arrive(browser.back(browser.leave(), ADA))
        before = Portal(["prod"], url=URL, **given).provider(ADA, "prod").token().access_token
        browser.get()
        question = browser.arrive(browser.back(browser.leave("Renew prod now"), GRACE))
        browser.press(question, f"Use {GRACE}")
    after = Portal(["prod"], url=URL, **given).provider(ADA, "prod")  # of a worker that has just started
    assert after.identity() == GRACE
    assert after.token().access_token != before


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
@pytest.mark.parametrize(
    ("profiles", "options", "connections"),
    [
        pytest.param(["prod"], {}, 4, id="one profile"),
        pytest.param(["prod", "again"], {}, 4, id="two profiles of one workspace"),
        pytest.param(["prod", "other"], {}, 5, id="two workspaces: it looks first which one a step waits for"),
        pytest.param(["prod"], {"schedules": list}, 5, id="schedules are asked for before the page is made"),
    ],
)
def test_sign_in_makes_a_connection_for_each_request_and_one_after_the_exchange(
    fleet, server, profiles, options, connections
):
    with fleet.config_file.open("a") as file:
        file.write(f"[again]\nhost = {fleet.box.host}\n[other]\nhost = https://other.cloud.databricks.com\n")
    with visited(fleet, profiles, **options) as browser:
        assert "is connected" in browser.connect().words  # the first of all finds the authorization server and the key
        page = browser.get()
        until(lambda: server.worker_connections() == 0)
        with server.watched() as shown:
            assert "is connected" in browser.arrive(browser.back(browser.press(page, "Renew prod now").onward)).words
            until(lambda: len(asked_on(shown())) >= connections and server.worker_connections() == 0)
            assert len(asked_on(shown())) == connections


def asked_on(log):
    """The connections on which more than the renewal of a lease was asked, which happens when a sign-in takes long."""
    asked = re.findall(r"\[(\d+)\] LOG:  (?:execute <unnamed>|statement): \s*(.*)", log)
    workers = set(re.findall(r"\[(\d+)\] LOG:  connection authorized: user=worker", log))
    return workers & {
        backend for backend, statement in asked if not statement.startswith("UPDATE lakekey_store SET expires")
    }


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


def test_f7_no_connection_is_open_while_what_is_not_kept_is_revoked(fleet, server):
    ids = ["first"]
    with visited(fleet, user=lambda _: User(ADA, ids[-1])) as browser, ThreadPoolExecutor(1) as pool:

        def revokes(step):
            fleet.box.fault("revoke", hang=True)
            done = pool.submit(step)
            try:
                until(lambda: fleet.box.faults_left == 0)
                until(lambda: server.worker_connections() == 0)
                assert not done.done()
            finally:
                fleet.box.clear_faults()
            return done.result(PATIENCE).words

        question = browser.arrive(browser.back(browser.leave(), GRACE))
        assert "is connected" not in revokes(lambda: browser.press(question, f"Do not use {GRACE}"))
        assert "is connected" in browser.connect().words
        ids.append("second")  # the name's next owner
        answer = browser.back(browser.leave())
        assert "is connected" in revokes(lambda: browser.arrive(answer))


@pytest.fixture
def kept_waiting(server):
    """Takes a step while another process holds a lease, and no connection is open; returns the page that it ends with."""

    def kept_waiting(name, step):
        with ThreadPoolExecutor(1) as pool:
            with server.store().lock(name) as held:
                assert held
                done = pool.submit(step)
                until(lambda: any(map(is_kept_waiting, sys._current_frames())))
                until(lambda: server.worker_connections() == 0)
                assert not done.done()
            page = done.result(PATIENCE)
        until(lambda: server.worker_connections() == 0)
        return page

    return kept_waiting


@pytest.mark.parametrize("signs_in", [ADA, GRACE], ids=["the second step", "the answer to a question"])
def test_f7_no_connection_is_open_while_a_connections_lease_is_waited_for(browser, kept_waiting, signs_in):
    answer = browser.back(browser.leave(), signs_in)
    entry_id = Session(hosted_target("prod", User(ADA), os.environ)).entry_id
    if signs_in == ADA:
        page = kept_waiting(entry_id, lambda: browser.arrive(answer))
    else:
        question = browser.arrive(answer)
        page = kept_waiting(entry_id, lambda: browser.press(question, f"Use {GRACE}"))
    assert f"prod is connected as {signs_in}." in page.words


def test_f7_no_connection_is_open_while_the_registrations_lease_is_waited_for(browser, fleet, kept_waiting):
    with fleet.config_file.open("a") as file:
        file.write("client_id = its-own-app\n")
    assert "Connect prod" in kept_waiting(NAME, browser.get).buttons


@pytest.mark.parametrize("server", [pytest.param(Postgresql, id="postgresql")], indirect=True)
def test_f7_no_connection_is_open_after_an_answer_that_failed_although_its_error_is_kept(fleet, server):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=fleet.redirect_uri)
    sign_ins, browser, target = SignIns(), begun.cookie.value, hosted_target("prod", User(ADA), os.environ)
    handle = sign_ins.receive(query_of(fleet.consent(begun.url, GRACE)), browser=browser, registration="").handle
    given = {"browser": browser, "user": User(ADA), "target_of": lambda _: target}
    assert sign_ins.second_step.finish(handle, **given).code == "other-person"
    with ThreadPoolExecutor(1) as pool, server.store().lock(Session(target).entry_id) as held:
        assert held
        answered = pool.submit(sign_ins.second_step.answer, handle, accept=True, **given)
        until(lambda: any(map(is_kept_waiting, sys._current_frames())))
        server.stop()
        assert isinstance(answered.exception(PATIENCE), CacheError)  # as an error reporter keeps it, with its traceback
        server.start()
    assert sign_ins.flows.find(handle) is not None
    until(lambda: server.worker_connections() == 0)
