"""Sessions in a store that hosts share are kept alive by one host at a time."""

import base64
import json
import os
import subprocess
import time

import pytest

from lakekey.session.keep_alive import keep_alive
from support.processes import LAKEKEY

DAY = 86400.0


@pytest.fixture
def server(postgresql):
    return postgresql


@pytest.fixture
def seldom_used(fleet, oidc_server):
    """A host whose person's session was renewed two days ago."""
    host = fleet.host("a")
    host.sign_in(left=3600 - 2 * DAY)
    oidc_server.reset()
    return host


def round_on(host):
    command = [LAKEKEY, "keep-alive", "--once", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=host.environ)


def result(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


def test_rounds_on_several_hosts_at_once_renew_a_session_once(fleet, seldom_used, oidc_server, postgresql):
    rounds = [round_on(fleet.host(name)) for name in ("a", "b", "c")]
    found = [result(each) for each in rounds]
    states = [session["state"] for each in found for session in each["sessions"]]
    assert states.count("renewed") == 1
    assert set(states) <= {"renewed", "not due"}
    assert oidc_server.counters()["requests.token.refresh_token"] == 1
    assert postgresql.leases() == []
    seldom_used.assert_session_is_whole()


def test_a_host_that_dies_in_its_round_leaves_it_to_the_others(fleet, seldom_used, oidc_server, postgresql):
    with oidc_server.hold("token") as hold:
        first = round_on(fleet.host("a"))
        hold.wait()
        busy = result(round_on(fleet.host("b")))
        assert busy["sessions"] == []
        assert f"process {first.pid}" in busy["held_by"]
        first.kill()
        first.communicate(timeout=60)
        hold.release()
    postgresql.lose_leases()  # which would end by themselves in a few seconds
    (session,) = result(round_on(fleet.host("c")))["sessions"]
    assert session["state"] in ("busy", "renewed")  # the token of the one that died may have been spent


def test_session_in_use_is_renewed_for_its_refresh_tokens_sake(seldom_used, oidc_server):
    before = seldom_used.stored().refresh_token
    seldom_used.store(left=3000, refresh_token=before, refresh_expires_at=time.time() + 300)
    (session,) = keep_alive(environ=seldom_used.environ).sessions
    assert session.state == "renewed"
    assert oidc_server.counters()["requests.token.refresh_token"] == 1
    assert seldom_used.stored().refresh_token != before


def test_host_with_another_key_reports_each_session_that_it_cannot_open(fleet, seldom_used, oidc_server):
    stranger = fleet.host("b")
    stranger.key = base64.b64encode(os.urandom(32)).decode()
    (session,) = keep_alive(environ=stranger.environ).sessions
    assert (session.entry, session.state, session.error) == (seldom_used.entry_id, "failed", "key_unavailable")
    assert oidc_server.counters().get("requests.token", 0) == 0


def test_hosts_warn_of_a_coming_end_once_together(fleet, seldom_used):
    seldom_used.store(left=3000, refresh_token=seldom_used.stored().refresh_token, session_ends_at=time.time() + DAY)
    rounds = [round_on(fleet.host(name)) for name in ("a", "b")]
    said = [process.communicate(timeout=60)[1] for process in rounds]
    assert sum("has to sign in again before" in err for err in said) == 1
    again = round_on(fleet.host("b"))
    assert "has to sign in again before" not in again.communicate(timeout=60)[1]
