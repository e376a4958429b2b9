"""All at once: however many ask, one of them talks to the server, and each gets a token."""

import sys
from contextlib import ExitStack
from typing import Any

import pytest

from support.sessions import PATIENCE, Child, Machine

LATEST = PATIENCE  # seconds; benchmarks measure what it takes, here the machine may be busy with other tests


def storm(machine: Machine, processes: int, threads: int, **environ: str) -> list[dict[str, Any]]:
    """Lets them loose; the reports of the processes."""
    with machine.child("storm", str(processes), str(threads), **environ) as zygote:
        zygote.until("ready")
        zygote.go_on()
        reports = [zygote.until("process") for _ in range(processes)]
        assert zygote.result()["statuses"] == [0]
    return reports


def assert_all_were_served(reports: list[dict[str, Any]], threads: int) -> None:
    assert [error for report in reports for error in report["errors"]] == []
    assert {len(report["seconds"]) for report in reports} == {threads}
    assert {report["headers"] for report in reports} == {1}
    assert max(max(report["seconds"]) for report in reports) < LATEST


def test_64_processes_of_8_threads_on_one_expired_session(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    tabs = tmp_path / "tabs"
    # A person is there, and is not troubled.
    present = {"LAKEKEY_INTERACTIVE": "browser", "BROWSER": oidc_server.browser(tabs=tabs)}
    assert_all_were_served(storm(machine, 64, 8, **present), 8)
    assert machine.token_requests() == 1
    assert not tabs.exists()
    machine.assert_session_is_whole()


@pytest.mark.parametrize("left", [-60, None], ids=["expired", "empty cache"])
def test_64_processes_of_8_threads_as_one_service_principal(oidc_server, tmp_path, left):
    machine = Machine(oidc_server, tmp_path / "cache", service=True)
    if left is not None:
        machine.store(left=left)
    assert_all_were_served(storm(machine, 64, 8), 8)
    assert machine.token_requests() == 1


WAITS = """
import sys, lakekey
from support.reports import outcome, report, wait_for_word
provider = lakekey.provider()
report("ready")
wait_for_word()
heavy = {"filelock", "requests", "lakekey.session.renewal", "lakekey.session.assembly"}
report("result", **outcome(lambda: bool(provider.headers())), loaded=sorted(heavy & sys.modules.keys()))
"""


def test_waiting_process_loads_nothing_that_only_the_work_needs(oidc_server, tmp_path):
    """Sixty-four that loaded it would take the processor from the one that works."""
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    with (
        oidc_server.hold() as hold,
        machine.child("asks_once") as worker,
        Child([sys.executable, "-c", WAITS], machine.environ) as waiter,
    ):
        hold.wait()
        waiter.until("ready")
        waiter.go_on()
        with pytest.raises(TimeoutError):  # it waits
            waiter.next(timeout=0.5)
        hold.release()
        assert worker.result()["ok"]
        ended = waiter.result()
    assert ended["ok"]
    assert ended["loaded"] == []
    assert machine.token_requests() == 1


def test_8_processes_of_8_threads_with_nothing_stored_open_one_tab(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    tabs = tmp_path / "tabs"
    present = {"LAKEKEY_INTERACTIVE": "browser", "BROWSER": oidc_server.browser(tabs=tabs)}
    assert_all_were_served(storm(machine, 8, 8, **present), 8)
    assert tabs.read_text().splitlines() == ["ada@example.com"]
    assert oidc_server.counters()["requests.token.authorization_code"] == machine.token_requests() == 1
    machine.assert_session_is_whole()


@pytest.mark.on_windows
def test_16_interpreters_of_4_threads_that_share_nothing_but_the_cache(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    with ExitStack() as stack:
        children = [stack.enter_context(machine.child("storm", "0", "4")) for _ in range(16)]
        for child in children:
            child.until("ready")
        for child in children:
            child.go_on()
        reports = [child.until("process") for child in children]
    assert_all_were_served(reports, 4)
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_storm_in_which_every_token_is_refused_makes_one_request(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=3600)
    oidc_server.reset()
    dead = machine.stored().access_token
    with ExitStack() as stack:
        children = [stack.enter_context(machine.child("asks_once", "told", "again")) for _ in range(6)]
        for child in children:
            child.until("ready")
        for child in children:
            child.go_on()
        ends = [child.result() for child in children]
    assert [end["error"] for end in ends] == [None] * 6
    assert machine.token_requests() == 1
    assert machine.stored().access_token != dead
    machine.assert_session_is_whole()
