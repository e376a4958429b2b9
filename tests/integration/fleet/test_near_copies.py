"""What a host keeps of a shared entry: the access token and what it has seen, so that a start loads no driver."""

import json
import subprocess
import sys
import time

import pytest

from lakekey import LoginRequired
from lakekey.cache import near
from lakekey.cache.entry import Entry
from lakekey.providers.provider import Provider
from lakekey.session import inventory, removal
from lakekey.session.timing import Timing
from support.processes import LAKEKEY
from support.servers.fault_proxy import FaultProxy
from support.sessions import Child
from support.waiting import until

pytestmark = pytest.mark.timeout(180)
LOADED = """
import sys, lakekey
from support.reports import outcome, report
report("result", **outcome(lambda: bool(lakekey.provider().headers())), loaded=sorted(sys.modules))
"""


@pytest.fixture
def signed_in(fleet, oidc_server):
    """A host whose session has a live access token, and a process of which has seen it."""
    host = fleet.host("a")
    host.sign_in(left=3000)
    oidc_server.reset()
    assert host.fresh_process()["ok"]
    return host


@pytest.fixture
def provider_here(signed_in, monkeypatch, unattended):
    """This process as one of host a: makes a provider in it."""
    signed_in.enter(monkeypatch)
    return lambda **timing: Provider(signed_in.target, timing=Timing(**timing))


@pytest.fixture
def here(provider_here):
    """A provider in this process."""
    return provider_here()


@pytest.fixture
def asks_often(provider_here):
    """The same; it asks the store again soon, whether its token is still the session's."""
    return provider_here(recheck=0.05)


def test_a_new_process_on_a_warm_near_copy_loads_no_driver(signed_in):
    with Child([sys.executable, "-c", LOADED], signed_in.environ) as child:
        ended = child.result()
    assert ended["ok"]
    assert not {"psycopg", "redis", "socket", "urllib.parse", "ssl", "requests"} & set(ended["loaded"])


def test_near_copy_holds_no_refresh_token(signed_in):
    copies = near.NearCopies(signed_in.own, signed_in.own["LAKEKEY_CACHE_DIR"], signed_in.address)
    copy = copies.get(signed_in.entry_id)
    assert copy.entry.access_token == signed_in.stored().access_token
    assert copy.entry.refresh_token == copy.entry.client_secret == ""
    assert copy.entry.generation == signed_in.stored().generation


def test_a25_live_near_copy_serves_while_the_store_is_away(signed_in, server, fleet):
    with FaultProxy(server.port) as proxy:
        proxy.away()
        gone = fleet.host("a", address=server.address_at(proxy.port, connect_timeout="0"))
        assert gone.fresh_process()["error"] == "StoreUnavailable"  # of another address, there is no copy
    server.stop()
    try:
        assert signed_in.fresh_process()["ok"]
    finally:
        server.start()


def test_a25_old_near_copy_serves_only_while_the_store_is_away(signed_in, provider_here, server):
    here = provider_here(recheck=-1.0)
    server.stop()
    try:
        assert here.headers()
    finally:
        server.start()
    server.clear()
    with pytest.raises(LoginRequired):
        provider_here(recheck=-1.0).headers()


def test_a41_signed_out_elsewhere_reaches_a_running_process_within_the_bound(asks_often, fleet):
    assert asks_often.headers()
    assert Provider(fleet.host("b").target, environ=fleet.host("b").environ).logout()
    with pytest.raises(LoginRequired) as caught:
        until(lambda: not asks_often.headers(), pause=0.02)
    assert "signed out of" in caught.value.message


def test_a41_idle_process_is_given_the_token_that_was_signed_out_of_once_more(asks_often, fleet):
    header = asks_often.headers()
    assert Provider(fleet.host("b").target, environ=fleet.host("b").environ).logout()
    idle_until = time.monotonic() + 0.1  # longer than the bound
    until(lambda: time.monotonic() >= idle_until)
    assert asks_often.headers() == header  # and it asks in the background
    with pytest.raises(LoginRequired):
        until(lambda: not asks_often.headers(), pause=0.02)


def test_a41_refresh_under_way_elsewhere_does_not_bring_the_entry_back(fleet, oidc_server):
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    with host.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        entry = host.cache.read(host.entry_id)
        assert host.cache.delete(host.entry_id, replaces=entry.envelope)
        holder.go_on()
        assert holder.result()["error"] == "LoginRequired"
    assert host.cache.get(host.entry_id) is None
    assert oidc_server.current_refresh_tokens() == []


def test_a42_token_that_several_hosts_report_as_refused_is_renewed_once(fleet, oidc_server):
    host = fleet.host("a")
    host.sign_in(left=3000)
    oidc_server.reset()
    children = [fleet.host(f"h{number}").started("asks_once", "told", "again") for number in range(6)]
    try:
        for child in children:
            child.until("ready")
        for child in children:
            child.go_on()
        assert [child.result()["error"] for child in children] == [None] * 6
    finally:
        for child in children:
            child.__exit__()
    assert oidc_server.counters()["requests.token"] == 1


def test_a42_token_that_another_host_has_replaced_reaches_a_running_process_within_the_bound(
    asks_often, fleet, oidc_server
):
    refused = asks_often.token().access_token
    other = Provider(fleet.host("b").target, environ=fleet.host("b").environ)
    other.invalidate(refused)
    newer = other.token().access_token
    assert newer != refused
    until(lambda: asks_often.token().access_token == newer, pause=0.02)
    assert oidc_server.counters()["requests.token"] == 1


def test_a18_a20_store_restored_from_a_backup_is_noticed_and_the_old_token_not_sent(
    fleet, oidc_server, server, tmp_path
):
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    server.back_up(tmp_path / "yesterday")
    assert host.fresh_process()["ok"]
    server.restore(tmp_path / "yesterday")
    copies = near.NearCopies(host.own, host.own["LAKEKEY_CACHE_DIR"], host.address)
    copies.drop(host.entry_id)  # its token would serve for an hour
    ended = host.fresh_process()
    assert ended["error"] == "LoginRequired"
    assert "went back in time" in ended["message"]
    assert oidc_server.counters()["requests.token"] == 1
    done = subprocess.run(
        [LAKEKEY, "doctor", "--json"], env=host.environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert "store time" in {check["name"] for check in json.loads(done.stdout)["checks"]}


def test_a17_process_that_has_the_newer_bytes_heals_the_store(here, signed_in, oidc_server, server):
    signed_in.store(left=-60, refresh_token=signed_in.stored().refresh_token)
    before = server.entries()
    assert here.invalidate(here.token().access_token)
    newer = signed_in.stored()
    server.put_back(before)
    here.served(newer.access_token)
    assert here.invalidate(newer.access_token)
    assert signed_in.stored().generation > newer.generation
    assert oidc_server.counters()["grant.error.invalid_grant"] == 0
    signed_in.assert_session_is_whole()


def test_a22_emptied_table_leaves_live_headers_and_then_asks_for_one_sign_in(here, signed_in, server):
    assert here.headers()
    server.clear()
    assert here.headers()
    near.NearCopies(signed_in.own, signed_in.own["LAKEKEY_CACHE_DIR"], signed_in.address).drop(signed_in.entry_id)
    ended = signed_in.fresh_process()
    assert ended["error"] == "LoginRequired"
    assert "emptied" in ended["message"]
    signed_in.sign_in(left=3000)
    assert signed_in.fresh_process()["ok"]


def test_start_with_a_custom_app_asks_the_store_for_its_secret_once_in_a_while(signed_in, server):
    environ = {**signed_in.environ, "DATABRICKS_CLIENT_ID": "an-app-of-mine"}
    target = signed_in.resolve(client_id="an-app-of-mine")
    code = "import sys, lakekey; p = lakekey.provider(); print({'psycopg', 'redis'}.isdisjoint(sys.modules), p.target.client_id)"
    asked = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
        asked.append(done.stdout.split())
    assert asked == [["False", target.client_id], ["True", target.client_id]]


def test_removed_row_is_served_on_this_host_no_more(signed_in, here):
    assert here.headers()
    assert removal.remove(signed_in.cache, signed_in.entry_id)
    with pytest.raises(LoginRequired):
        Provider(signed_in.target).headers()


def test_many_reads_in_a_row_use_one_connection(signed_in, server, fleet):
    with FaultProxy(server.port) as proxy:
        host = fleet.host("many", address=server.address_at(proxy.port))
        cache = host.cache
        for number in range(20):
            cache.put(f"{number:064}", Entry({"host": "https://h"}), replaces=None)
        asked = proxy.connections
        assert len(inventory.find(cache)) == 21
        assert proxy.connections == asked + 1
