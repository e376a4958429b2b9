"""Defects that were measured in the libraries next door, each shown to be absent here.

What is shown at length elsewhere is shown in short here: storms in ``test_storm``, kills in ``test_kills``, holders
that hang in ``test_lock_timeout``.
"""

import json
import os
import shlex
import socket
import stat
import sys
from contextlib import ExitStack, suppress

import pytest

from lakekey import TokenEndpointError
from lakekey.session.timing import Timing
from support.programs import curious_browser
from support.sessions import Machine


@pytest.fixture
def desk(oidc_server, tmp_path):
    """A machine on which no person has signed in yet."""
    return Machine(oidc_server, tmp_path / "cache")


def with_browser(command: str) -> dict[str, str]:
    """The environment of a process with a person at it, whose browser this is."""
    return {"LAKEKEY_INTERACTIVE": "browser", "BROWSER": command}


# databricks-sdk-py


def test_no_token_is_on_disk_in_clear(machine):
    machine.provider().headers()
    entry = machine.stored()
    on_disk = b"".join(path.read_bytes() for path in machine.directory.rglob("*") if path.is_file())
    for secret in (entry.access_token, entry.refresh_token):
        assert secret.encode() not in on_disk
    for path in machine.directory.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_rotated_refresh_token_is_written_back_for_the_next_process(machine):
    spent = machine.stored().refresh_token
    for _ in range(3):
        assert machine.fresh_process()["ok"]
        machine.assert_session_is_whole()
        machine.store(left=-60, refresh_token=machine.stored().refresh_token)
    assert machine.server.token_state(spent) == "consumed"


def test_a_refresh_token_that_an_answer_omits_stays(machine):
    machine.server.set_rotation(single_use=False)
    kept = machine.stored().refresh_token
    with machine.server.fault("token", "edit", remove=["refresh_token"], times=None):
        machine.provider().headers()
        assert machine.stored().refresh_token == kept
        machine.store(left=-60, refresh_token=kept)
        assert machine.fresh_process()["ok"]
    machine.assert_session_is_whole()


def test_token_request_without_an_answer_ends_and_the_next_call_asks_again(machine):
    with machine.server.fault("token", "hang", times=1) as fault:
        with pytest.raises(TokenEndpointError, match="did not answer in time"):
            machine.provider(timing=Timing(exchange_deadline=0.5)).headers()
        assert fault.hits() == 1
    assert machine.provider().headers()
    assert machine.token_requests() == 2
    machine.assert_session_is_whole()


def test_a_token_request_that_fails_is_sent_again(machine):
    with machine.server.fault("token", "status", status=503, times=2):
        assert machine.provider().headers()
    assert machine.token_requests() == 3


def test_the_port_is_bound_before_the_browser_opens_and_outlives_strays(desk, tmp_path):
    found = tmp_path / "found"
    program = [sys.executable, curious_browser.__file__, "--ca-file", desk.server.ca_file, "--found", str(found)]
    signed_in = desk.fresh_process(**with_browser(f"{shlex.join(program)} %s &"))
    assert signed_in["ok"], signed_in
    heard = json.loads(found.read_text())
    assert heard["first"] == 404, heard
    assert len(heard["strays"]) == 8, heard
    assert not [status for status in heard["strays"] if 200 <= status < 400]
    desk.assert_session_is_whole()


def test_unfinished_sign_in_ends(desk):
    idle = with_browser(f"{shlex.quote(sys.executable)} -c pass %s")
    end = desk.fresh_process(LAKEKEY_LOGIN_TIMEOUT="0.5", **idle)
    assert end["error"] == "LoginTimeout"
    assert "within 0.5 s" in end["message"]
    assert end["seconds"] < 10


def test_the_background_refresh_goes_on_in_a_forked_child(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=300)  # stale: it serves, and is due for renewal
    with machine.child("forks_between") as child:
        assert child.until("parent")["renewed"]
        machine.store(left=300, refresh_token=machine.stored().refresh_token)
        child.go_on()
        assert child.until("child")["renewed"]
        child.wait()
    machine.assert_session_is_whole()


# databricks-sql-connector


def test_only_loopback_listens_for_the_answer(desk, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    person = desk.server.browser().removesuffix(" %s &")
    waits = f'echo > {shlex.quote(str(pipe))}; cat {shlex.quote(str(pipe))} > /dev/null; exec {person} "$0"'
    with desk.child("shows_ports", str(pipe), **with_browser(f"sh -c {shlex.quote(waits)} %s &")) as child:
        hosts = {host for host, _ in child.until("open")["ports"]}
        assert {"127.0.0.1"} <= hosts <= {"127.0.0.1", "::1"}
        assert child.until("closed")["ports"] == []
        assert child.result()["ok"]


def test_a_busy_port_is_passed_over(desk):
    busy = []
    with ExitStack() as stack:
        for port in range(8020, 8030):
            other = stack.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # another process that has it keeps it busy
                other.bind(("127.0.0.1", port))
                other.listen()
                busy.append(f"http://localhost:{port}")
        signed_in = desk.fresh_process(**with_browser(desk.server.browser()))
    assert signed_in["ok"], signed_in
    used = {entry["redirect_uri"] for entry in desk.server.log("authorize") if entry["redirect_uri"]}
    assert used
    assert not used & set(busy)


@pytest.mark.parametrize("status", [403, 500, 302])
def test_a_token_in_an_answer_that_is_not_a_success_is_not_used(service, status):
    with service.server.fault("token", "edit", status=status, set={"access_token": "poisoned"}) as fault:
        with suppress(TokenEndpointError):  # where another try could not help
            assert "poisoned" not in service.provider().headers()["Authorization"]
        assert fault.hits() == 1
    assert "poisoned" not in service.provider().headers()["Authorization"]


def test_a_token_that_is_about_to_expire_is_not_handed_out(machine):
    dying = machine.store(left=30, refresh_token=machine.stored().refresh_token)  # Azure refuses those
    assert machine.provider().headers() != {"Authorization": f"Bearer {dying.access_token}"}
    assert machine.token_requests() == 1


# msal-extensions


def test_killed_lock_holder_blocks_no_process(machine):
    with machine.child("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        holder.kill()
    assert machine.fresh_process(LAKEKEY_LOCK_TIMEOUT="5")["ok"]
    machine.assert_session_is_whole()


# snowflake-connector


def test_a_lock_is_not_taken_from_a_live_holder(machine):
    with machine.child("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        assert machine.fresh_process(LAKEKEY_LOCK_TIMEOUT="2")["error"] == "LockTimeout"
        assert machine.token_requests() == 0
        holder.go_on()
        assert holder.result()["ok"]
    assert machine.token_requests() == 1


def test_one_bad_byte_costs_one_entry(machine, service):
    service.provider().headers()
    before = machine.stored()
    assert len(machine.cache.list()) == 2
    spoilt = machine.entries / f"{service.entry_id}.entry"
    content = bytearray(spoilt.read_bytes())
    content[-20] ^= 1
    spoilt.write_bytes(content)
    assert service.provider().headers()
    assert machine.stored() == before
    assert machine.provider().headers()


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_503_page_evicts_nothing(machine, content_type):
    before = machine.stored()
    page = "<html>Service unavailable</html>"
    with machine.server.fault(
        "token", "status", status=503, body=page, headers={"Content-Type": content_type}, times=None
    ):
        with pytest.raises(TokenEndpointError) as caught:
            machine.provider().headers()
        assert caught.value.status == 503
    assert machine.stored().refresh_token == before.refresh_token
    assert machine.fresh_process()["ok"]
    machine.assert_session_is_whole()


# trino


def test_all_who_wait_for_a_sign_in_learn_that_it_failed(desk, tmp_path):
    browser = desk.server.browser(decline=True, after=1, tabs=tmp_path / "tabs")
    with ExitStack() as stack:
        children = [stack.enter_context(desk.child("asks_once", "told", **with_browser(browser))) for _ in range(4)]
        for child in children:
            child.until("ready")
        for child in children:
            child.go_on()
        ends = [child.result() for child in children]
    assert {end["error"] for end in ends} == {"LoginDenied"}
    assert len((tmp_path / "tabs").read_text().splitlines()) == 1


# botocore


def test_six_processes_send_a_refresh_token_once(machine):
    with ExitStack() as stack:
        children = [stack.enter_context(machine.child("asks_once", "told")) for _ in range(6)]
        for child in children:
            child.until("ready")
        for child in children:
            child.go_on()
        assert [child.result()["error"] for child in children] == [None] * 6
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()
