"""The portal in processes of its own, of which each may get any step of a sign-in."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import lakekey
from lakekey.session.session import Session
from lakekey.web import User
from lakekey.web.sign_in import SignIns, hosted_target
from support.waiting import until
from support.web_people import parameters_of
from support.web_workers import PATIENCE, workers

from .conftest import ADA, GRACE, URL


def test_b05_and_b28_answer_that_comes_to_two_other_workers_at_once_is_exchanged_once(place, tmp_path):
    with workers(tmp_path, URL) as ((_, first), (_, second)):
        ada = place.browser(first, ADA)
        answer = ada.back(ada.leave())
        tabs = []
        for address in (first, second, second, first):
            tabs.append(place.browser(address, ADA))
            tabs[-1].cookies = dict(ada.cookies)
        with ThreadPoolExecutor(4) as pool:
            pages = list(pool.map(lambda tab: tab.arrive(answer), tabs))
        assert all("prod is connected" in page.words for page in pages)
        assert len(place.token_requests()) == 1
        shown = requests.get(f"{second}/whoami", headers={"X-User": ADA}, timeout=PATIENCE).json()
        assert shown["Authorization"].startswith("Bearer ")


def test_b26_worker_killed_between_exchange_and_write_leaves_no_half_connection(place, tmp_path):
    with workers(tmp_path, URL) as ((worker, first), (_, second)):
        ada = place.browser(first, ADA)
        answer = ada.back(ada.leave())
        onward = ada.request("GET", answer).onward
        place.box.fault("scim", hang=True)  # asked after the exchange, and before the write
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(ada.request, "GET", onward)
            until(place.token_requests)
            worker.end(signal.SIGKILL)
            assert isinstance(waiting.exception(PATIENCE), requests.ConnectionError)
        place.box.clear_faults()
        handle = parameters_of(onward)["flow"]
        later = SignIns(clock=lambda: time.time() + 61)
        target = hosted_target("prod", User(ADA), os.environ)
        outcome = later.second_step.finish(
            handle, browser=ada.cookies["__Host-Http-lakekey"], user=User(ADA), target_of=lambda flow: target
        )
        assert outcome.code == "interrupted"
        assert Session(target).peek() is None
        ada.address = second
        assert "prod is connected" in ada.connect().words


def test_b50_no_secret_of_a_whole_run_is_in_any_log(place, tmp_path):
    with workers(tmp_path, URL, 1) as ((worker, address),):
        ada = place.browser(address, ADA)
        url = ada.leave()
        answer = ada.back(url)
        page = ada.arrive(answer)
        ada.arrive(answer)
        ada.press(page, "Test prod")
        requests.get(f"{address}/whoami", headers={"X-User": ADA}, timeout=PATIENCE)
        entry = Session(hosted_target("prod", User(ADA), os.environ)).peek()
        ada.press(ada.get(), "Disconnect prod")
        asked, came = parameters_of(url), parameters_of(answer)
        secrets = [
            asked["state"],
            came["code"],
            ada.cookies["__Host-Http-lakekey"],
            entry.access_token,
            entry.refresh_token,
        ]
        secrets += [place.secret, ada.get().form("Connect prod")[1]["token"]]
        log = worker.log.read_text()
    assert "/callback/portal-app?…" in log
    assert "GET /lakekey/" in log
    assert [secret for secret in secrets if secret in log] == []


def test_b29_many_people_at_once_over_two_workers_are_all_connected_as_themselves(place, tmp_path):
    with workers(tmp_path, URL) as ((_, first), (_, second)):

        def connected(number):
            user = (ADA, GRACE)[number % 2]
            browser = place.browser((first, second)[number % 2], user)
            answer = browser.back(browser.leave("Connect prod" if number < 2 else _connect_button(browser)))
            browser.address = (second, first)[number % 2]
            return user in browser.arrive(answer).words

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(connected, range(2)))
            assert all(pool.map(connected, range(2, 16)))
        for user in (ADA, GRACE):
            shown = requests.get(f"{first}/whoami", headers={"X-User": user}, timeout=PATIENCE).json()
            me = requests.get(
                f"{place.box.host}/api/2.0/preview/scim/v2/Me",
                headers=shown,
                verify=place.box.ca_file,
                timeout=PATIENCE,
            )
            assert me.json()["userName"] == user


def _connect_button(browser):
    return next(button for button in browser.get().buttons if button in ("Connect prod", "Renew prod now"))


def test_require_leads_a_person_to_the_page_in_their_language_and_tells_a_program_the_link(place, tmp_path):
    with workers(tmp_path, URL, 1) as ((_, address),):
        person = requests.get(f"{address}/whoami", headers={"X-User": ADA}, allow_redirects=False, timeout=PATIENCE)
        assert (person.status_code, person.headers["Location"]) == (303, f"{URL}/#prod")
        asks_json = {"X-User": ADA, "Accept": "application/json"}
        program = requests.get(f"{address}/whoami", headers=asks_json, allow_redirects=False, timeout=PATIENCE)
        assert (program.status_code, f"{URL}/#prod" in program.text) == (401, True)
        for user, said in (
            (ADA, f"Verbinden Sie zuerst prod: {URL}/#prod"),
            (None, "Melden Sie sich zuerst beim Dienst an"),
        ):
            by_form = {"Accept": "text/html", "Accept-Language": "de", **({"X-User": user} if user else {})}
            form = requests.post(f"{address}/whoami", headers=by_form, allow_redirects=False, timeout=PATIENCE)
            assert (form.status_code, said in form.text) == (401, True)
            by_program = {**by_form, "Accept": "application/json"}
            told = requests.post(f"{address}/whoami", headers=by_program, allow_redirects=False, timeout=PATIENCE).text
            assert f"; connect at {URL}/#prod" in told


@pytest.mark.parametrize("made", ["before", "after"])
def test_access_log_hides_answers_however_the_server_is_started(place, tmp_path, made):
    """The server configures logging when its configuration is made, which may be before the portal is, or after."""
    code = (
        "import logging, uvicorn\n"
        "from lakekey.web import Portal\n"
        f"make = lambda: Portal(['prod'], url={URL!r}, user=lambda request: None)\n"
        + ("app = make(); uvicorn.Config(app)\n" if made == "before" else "uvicorn.Config('x:y'); app = make()\n")
        + "logging.getLogger('uvicorn.access').info('%s - \"%s %s HTTP/%s\" %d', '127.0.0.1:1', 'GET',"
        " '/lakekey/callback/prod?code=a-code&state=a-state', '1.1', 200)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert '"GET /lakekey/callback/prod?… HTTP/1.1" 200' in done.stdout + done.stderr
    assert "a-code" not in done.stdout + done.stderr


def test_person_who_connects_serves_a_schedulers_process_that_never_saw_a_browser(place, tmp_path):
    with workers(tmp_path, URL, 1) as ((_, address),):
        place.browser(address, ADA).connect()
    code = f"import lakekey; print(lakekey.provider('prod', user={ADA!r}).identity())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == ADA
    assert lakekey.web.COOKIE == "__Host-Http-lakekey"
