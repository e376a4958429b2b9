"""Hosts whose clocks are wrong, that stand still or lose power; stores that are slow, damaged, large, or badly secured."""

import glob
import os
import shutil
import signal
import threading
import time

import pytest

from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.cache.stores.turns import Turns
from lakekey.providers.provider import Provider
from lakekey.session.timing import Timing
from support.fleet import Fleet
from support.servers.fault_proxy import FaultProxy
from support.servers.postgresql import Postgresql, private_directory
from support.servers.redis import Redis, valkey
from support.store_contract import NAME
from support.waiting import until

pytestmark = pytest.mark.timeout(180)
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


def clock(minutes):
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{minutes:+d}m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_a27_hosts_with_clocks_ten_minutes_off_make_one_request_and_send_no_dead_token(fleet, signed_in, oidc_server):
    fast, slow = fleet.host("fast"), fleet.host("slow")
    assert fast.fresh_process(**clock(+10))["ok"]
    assert fleet.host("b").fresh_process()["ok"]
    assert slow.fresh_process(**clock(-10))["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    left = signed_in.stored().expires_at - time.time()
    assert 3500 < left < 3610  # by a correct clock, an hour from now
    signed_in.store(left=120, refresh_token=signed_in.stored().refresh_token)
    for name, minutes in (("slow-too", -10), ("fast-too", +10)):  # it lives for two minutes, whatever the host thinks
        assert fleet.host(name).fresh_process(**clock(minutes))["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.store(left=-60, refresh_token=signed_in.stored().refresh_token)
    assert fleet.host("slow-again").fresh_process(**clock(-10))["ok"]  # to its clock, it lives for nine minutes more
    assert oidc_server.counters()["requests.token"] == 2


def stepping_valkey(environ):
    return Redis(program=valkey(), environ=environ)  # Debian's Redis does not start with libfaketime


@pytest.fixture(params=[Postgresql, stepping_valkey])
def stepping(request):
    """A server whose clock, and no other, is stepped by what is written into a file."""
    directory = private_directory("lakekey-clock-")  # where the user of the server may read it
    steps = directory / "steps"
    steps.write_text("+0")
    steps.chmod(0o644)
    fake = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(steps),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with request.param(environ=fake) as server:
        yield server, steps
    shutil.rmtree(directory)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_a28_clock_of_the_store_that_steps_by_an_hour_costs_one_request_and_holds_no_lease(
    stepping, oidc_server, tmp_path
):
    server, steps = stepping
    fleet = Fleet(oidc_server, tmp_path, server.address)
    host = fleet.host("a")
    host.sign_in(left=3000)
    oidc_server.reset()
    for number, step in enumerate(("+3600", "+0", "-3600")):
        with server.store().lock(NAME) as held:
            assert held
            steps.write_text(step)
            wanted = time.time() + float(step)  # Valkey goes by what it read of its clock some milliseconds ago
            until(lambda: abs(server.store().read(NAME).now - wanted) < 600)  # noqa: B023
            with server.store().lock(NAME) as other:
                assert other  # it has ended, or is of the future
        end = fleet.host(f"h{number}").fresh_process()
        assert end["ok"], end
        assert oidc_server.counters()["requests.token"] <= number + 1
    host.assert_session_is_whole()


def test_a9_holder_whose_host_loses_power_is_succeeded_by_the_stores_clock(fleet, signed_in, oidc_server, server):
    with FaultProxy(server.port) as proxy:
        gone = fleet.host("gone", address=server.address_at(proxy.port))
        with gone.hurried("pauses_at", "under the lock", "main") as holder:
            holder.until("at")
            proxy.black_hole()  # so that the server sees no end of any connection
            holder.kill()
            with fleet.host("b").hurried("asks_once") as other:
                assert other.result()["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


def test_a30_computation_that_starves_the_renewal_costs_no_second_presentation(fleet, signed_in, oidc_server):
    with signed_in.hurried("stalls", "6") as holder:
        holder.until("stalls")
        with fleet.host("b").hurried("asks_once") as other:
            assert other.result()["ok"]
        assert holder.result()["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


def test_a40_interrupt_during_the_write_loses_no_session(signed_in, oidc_server):
    with signed_in.started("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        holder.signal(signal.SIGINT)
        holder.until("signal")
        holder.go_on()
        assert holder.until("ended")["by"] == "KeyboardInterrupt"
        holder.wait()
    signed_in.assert_session_is_whole()
    assert signed_in.stored().spending is None


def test_a24_slow_store_makes_no_caller_with_a_live_token_wait(signed_in, fleet, server, monkeypatch):
    signed_in.store(left=3000, refresh_token=signed_in.stored().refresh_token)
    with FaultProxy(server.port) as proxy:
        host = fleet.host("slow", address=server.address_at(proxy.port))
        host.enter(monkeypatch)
        provider = Provider(host.target, timing=Timing(recheck=0.0))  # so that it would like to ask again at once
        provider.headers()
        proxy.slow(5.0)
        asked = proxy.connections
        began = time.monotonic()
        for _ in range(50):
            assert provider.headers()
        assert time.monotonic() - began < 4.0  # one answer of the store takes longer
        until(lambda: proxy.connections > asked)  # in the background, it did ask


@pytest.mark.parametrize("damage", ["flipped", "truncated", "of another"])
def test_a37_damaged_entry_loses_itself_only_and_is_never_sent(signed_in, fleet, oidc_server, server, damage):
    body = server.entries()[signed_in.entry_id]
    bad = {"flipped": body[:-1] + bytes([body[-1] ^ 1]), "truncated": body[:50], "of another": body}[damage]
    victim = "f" * 64 if damage == "of another" else signed_in.entry_id
    server.put_back({victim: bad})
    assert signed_in.cache.get(victim) is None
    assert server.set_aside() == {victim: bad}
    assert victim not in server.entries()
    server.clear()
    assert oidc_server.counters()["requests.token"] == 0


def test_a38_ten_thousand_entries_cost_one_no_more_and_lists_page(postgresql):
    store = postgresql.store()
    postgresql.sql(
        f"INSERT INTO {TABLE} (kind, name, body) SELECT 'entry', lpad(to_hex(n), 64, '0'), 'sealed' "
        "FROM generate_series(1, 10000) AS n"
    )
    postgresql.sql(f"ANALYZE {TABLE}")
    plan = postgresql.sql(f"EXPLAIN SELECT body FROM {TABLE} WHERE kind = 'entry' AND name = %s", NAME)
    assert "Index Scan" in plan[0][0]
    first = store.list(limit=100)
    assert len(first) == 100
    assert store.list(after=first[-1], limit=1)[0] > first[-1]
    assert len(store.list()) == 10_000


class Line:
    """Something like a connection, which knows who has hung up."""

    def __init__(self):
        self.closed_by = None
        self.made_by = os.getpid()

    @property
    def closed(self):
        return self.closed_by is not None

    def close(self):
        self.closed_by = os.getpid()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a39_forked_child_opens_a_connection_of_its_own():
    turns = Turns()

    def is_another(own, line):
        return own.made_by == os.getpid() and own is not line and not line.closed

    def fork(line):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if turns.turn(Line, lambda own: is_another(own, line)) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert not line.closed
        return line

    assert turns.turn(Line, fork).closed


def test_threads_hand_one_connection_on_and_hang_up_at_the_end():
    turns, made = Turns(), []

    def connect():
        made.append(Line())
        return made[-1]

    entered, go_on = threading.Event(), threading.Event()

    def first(_):
        entered.set()
        go_on.wait(30)

    def other(line):
        assert not line.closed

    threads = [threading.Thread(target=turns.turn, args=(connect, first))]
    threads[0].start()
    entered.wait(30)
    threads += [threading.Thread(target=turns.turn, args=(connect, other)) for _ in range(5)]
    for thread in threads[1:]:
        thread.start()
    until(lambda: turns._line.waiting == 5)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert made[0].closed
