"""A stale token: renewed ahead of time in the background, by one process, while no caller waits."""

import asyncio
import os
import threading
import time
from contextlib import ExitStack

import pytest

from lakekey import _imports
from lakekey.configuration.target import resolve
from lakekey.providers import background_renewal, hot_path
from lakekey.providers.background_renewal import Background
from lakekey.providers.provider import Provider
from lakekey.session import renewal
from lakekey.session.timing import Timing
from support.inside import source_of
from support.sessions import Machine
from support.waiting import until

pytestmark = pytest.mark.on_windows

CALLS = 2000
HOLD = 5.0
LATEST = HOLD / 2  # a caller that waits for what is held takes longer; the time itself is measured in benchmarks/


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine whose session has a stale access token that lives for ten more minutes."""
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    machine.store(left=600, access_token="alive", refresh_token=machine.stored().refresh_token)
    oidc_server.reset()
    return machine


@pytest.fixture(autouse=True)
def quiet():
    """Every test begins and ends without the background thread."""
    until(lambda: not background_threads())
    yield
    until(lambda: not background_threads())


def background_threads():
    return [thread for thread in threading.enumerate() if thread.name == "lakekey-background"]


@pytest.fixture
def short_idle(monkeypatch):
    monkeypatch.setattr(background_renewal, "_process", background_renewal.Background(idle=0.2))


@pytest.mark.usefixtures("short_idle")
def test_slow_endpoint_delays_no_caller_while_the_token_lives(machine):
    provider = machine.provider()
    with machine.server.hold("token") as hold:
        provider.headers()
        slowest, asked = 0.0, 0
        provider.headers()
        hold.wait()
        end = time.monotonic() + HOLD
        while time.monotonic() < end:
            began = time.monotonic()
            assert provider.headers() == {"Authorization": "Bearer alive"}
            slowest, asked = max(slowest, time.monotonic() - began), asked + 1
        assert slowest < LATEST, f"of {asked} calls during {HOLD:g} s"
        hold.release()
    until(lambda: provider.headers() != {"Authorization": "Bearer alive"})
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


@pytest.mark.usefixtures("short_idle")
def test_caller_with_a_live_token_does_not_wait_for_another_threads_import(machine):
    """As the background thread does when it renews for the first time, on a disk that may be slow."""
    provider, other, third = machine.provider(), machine.provider(), machine.provider()
    assert provider.token() == other.token() == asyncio.run(third.atoken())  # stale already
    with machine.server.hold("token") as hold:
        provider.headers()
        hold.wait()
        loads, loaded = threading.Event(), threading.Event()

        def load():
            with _imports.LOADING:
                loads.set()
                assert loaded.wait(HOLD)

        loader = threading.Thread(target=load)
        loader.start()
        loads.wait()
        began = time.monotonic()
        assert provider.headers() == other.headers() == {"Authorization": "Bearer alive"}
        assert provider.token() == other.token() == asyncio.run(third.atoken())
        assert time.monotonic() - began < LATEST
        loaded.set()
        loader.join()
        hold.release()
    until(lambda: provider.headers() != {"Authorization": "Bearer alive"})


def test_of_several_processes_one_renews_and_none_waits(machine):
    with machine.server.hold("token") as hold, ExitStack() as stack:
        children = [stack.enter_context(machine.child("asks_often", str(CALLS))) for _ in range(3)]
        asked = [child.until("asked") for child in children]
        [request] = hold.wait()
        assert request["grant_type"] == "refresh_token"
        assert [report["seen"] for report in asked] == [["Bearer alive"]] * len(children)
        assert max(report["slowest"] for report in asked) < LATEST
        hold.release()
        until(lambda: machine.stored().access_token != "alive")
        for child in children:
            child.go_on()
        ends = [child.until("result") for child in children]
    fresh = f"Bearer {machine.stored().access_token}"
    assert {header for end in ends for header in end["seen"]} <= {"Bearer alive", fresh}
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


@pytest.mark.usefixtures("short_idle")
def test_a_process_that_lost_the_race_takes_the_winners_token_from_the_cache(machine):
    often = Timing(stale_pause=0.01)
    provider, sibling = machine.provider(timing=often), machine.provider(timing=often)
    assert provider.headers() == sibling.headers()
    until(lambda: provider.headers() != {"Authorization": "Bearer alive"})
    until(lambda: sibling.headers() == provider.headers())
    assert machine.token_requests() == 1


@pytest.mark.usefixtures("short_idle")
def test_one_thread_serves_all_providers_of_a_process_and_goes_when_nothing_is_left(machine):
    """Ten credentials, all stale: one thread, a daemon, renews them one after the other."""
    targets = [
        resolve(None, {}, host=machine.server.host, ca_file=machine.server.ca_file, store=f"file:{machine.directory}",
                client_id=machine.server.service_principal.client_id,
                client_secret=machine.server.service_principal.client_secret, group_id=f"group {number}")
        for number in range(10)
    ]  # fmt: skip
    providers = [Provider(target) for target in targets]
    for target, provider in zip(targets, providers, strict=True):
        one = Machine(machine.server, machine.directory)
        one.target = target
        one.store(left=600, access_token="alive")
        assert provider.headers() == {"Authorization": "Bearer alive"}
    assert background_threads() == [], "nothing is known to be stale yet"
    with machine.server.hold("token") as hold:
        for provider in providers:
            provider.headers()
        hold.wait()
        [thread] = background_threads()
        assert thread.daemon
        hold.release()
    until(lambda: all(provider.headers() != {"Authorization": "Bearer alive"} for provider in providers))
    assert machine.token_requests() == len(providers)
    until(lambda: not background_threads())


def test_a_fresh_token_needs_no_thread(machine):
    machine.store(left=3500, access_token="fresh")
    provider = machine.provider()
    for _ in range(100):
        assert provider.headers() == {"Authorization": "Bearer fresh"}
    assert background_threads() == []
    assert machine.token_requests() == 0


def test_processes_do_not_all_become_stale_at_the_same_moment(machine):
    machine.store(left=3500, access_token="fresh")
    ends = set()
    for _ in range(20):
        provider = machine.provider()
        provider.headers()
        ends.add(source_of(provider)._fresh[0])
    assert len(ends) > 10
    expires_at = machine.stored().expires_at
    assert all(16 * 60 - 1 <= expires_at - end <= 20 * 60 + 1 for end in ends)


@pytest.mark.usefixtures("short_idle")
def test_a_renewal_that_comes_after_a_sign_out_is_not_taken_into_use(machine):
    provider = machine.provider()
    with machine.server.hold("token") as hold:
        provider.headers()
        provider.headers()
        hold.wait()
        signing_out = threading.Thread(target=provider.logout)
        signing_out.start()
        until(lambda: bool(renewal._sign_outs._running))
        hold.release()
        signing_out.join()
    until(lambda: not background_threads())
    assert source_of(provider)._snapshot is None
    assert machine.cache.list() == []


# The thread itself


@pytest.mark.usefixtures("short_idle")
def test_the_thread_starts_again_after_it_has_gone():
    work = Background()
    for _ in range(2):
        done = threading.Event()
        work.submit("a job", done.set)
        assert done.wait(10)
        until(lambda: not background_threads())


@pytest.mark.usefixtures("short_idle")
def test_a_job_that_fails_does_not_end_the_thread(caplog):
    work = Background()
    done = threading.Event()
    work.submit("bad", lambda: 1 / 0)
    work.submit("good", done.set)
    assert done.wait(10)
    told = [record.getMessage() for record in caplog.records if record.name == "lakekey.background"]
    assert told == ["the job for entry bad failed: ZeroDivisionError"]


@pytest.mark.usefixtures("short_idle")
def test_a_job_that_waits_already_is_not_added_again():
    work, began, go_on, runs = Background(), threading.Event(), threading.Event(), []

    def first():
        began.set()
        go_on.wait(10)

    work.submit("first", first)
    assert began.wait(10)
    for _ in range(5):
        work.submit("second", lambda: runs.append(1))
    go_on.set()
    until(lambda: not background_threads())
    assert runs == [1]


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("short_idle")
def test_a_forked_child_renews_in_a_thread_of_its_own(machine):
    """The parent's thread, which is at work at that moment, does not exist in the child."""
    provider = machine.provider()
    with machine.server.hold("token") as hold:
        provider.headers()
        provider.headers()
        hold.wait()
        assert background_threads()
        pid = os.fork()
        if pid == 0:
            os._exit(_child_renews(provider))
        hold.release()
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def _child_renews(provider):
    try:
        assert background_threads() == []
        source_of(provider)._fresh = hot_path._NOTHING  # as if its pause were over
        until(lambda: _look_again(provider) != {"Authorization": "Bearer alive"})
        assert background_threads()
    except BaseException as error:
        os.write(2, repr(error).encode())
        return 1
    return 0


def _look_again(provider):
    header = provider.headers()
    if header == {"Authorization": "Bearer alive"}:
        source_of(provider)._fresh = hot_path._NOTHING
    return header
