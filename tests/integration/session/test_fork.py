"""Forked and spawned children: none hangs, none keeps a lock, and together they make one request."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

import lakekey
from lakekey import TokenEndpointError
from support.programs import workers
from support.sessions import Child, Machine
from support.waiting import until

# Forking a process that has threads is what these tests are about; Python 3.12 warns of it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    pytest.mark.usefixtures("unattended"),
]

PATIENCE = 30.0


@contextmanager
def forked(work):
    """A forked child that does some work; what it returns is read from the other end. It is gone after the block."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            signal.alarm(int(PATIENCE))  # whatever hangs here ends
            try:
                result = work()
            except BaseException as error:
                result = repr(error)
            os.write(writing, json.dumps(result).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            yield lambda: json.loads(pipe.read())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def in_flight(machine, provider, route="token"):
    """A thread whose refresh waits at the server, and holds the entry's lock; yields what lets it go on."""
    with machine.server.hold(route) as hold:
        thread = threading.Thread(target=provider.headers)
        thread.start()
        hold.wait()
        yield hold.release
        thread.join()


def test_a_child_forked_during_a_refresh_waits_for_it_and_takes_its_result(machine):
    provider = machine.provider()
    with in_flight(machine, provider) as go_on, forked(lambda: workers.header(provider)) as result:
        go_on()
        header = result()
    assert header == workers.header(provider)
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_a_child_forked_while_its_parent_looks_for_the_server_can_look_for_it_too(machine):
    """The parent's thread holds a lock at that moment that no thread of the child would ever release."""
    provider = machine.provider()

    def renew():
        provider.invalidate(workers.header(provider).removeprefix("Bearer "))
        return workers.header(provider)

    with in_flight(machine, provider, "config") as go_on, forked(renew) as result:
        go_on()
        header = result()
    assert header == f"Bearer {machine.stored().access_token}"
    assert machine.token_requests() == 2
    machine.assert_session_is_whole()


def test_a_child_forked_while_its_parent_builds_a_strategy_of_the_sdk_builds_its_own(machine):
    token = "dapi0123456789abcdef"
    provider = lakekey.provider(host=machine.server.host, ca_file=machine.server.ca_file, token=token)
    with in_flight(machine, provider, "config") as go_on, forked(lambda: workers.header(provider)) as result:
        go_on()
        assert result() == f"Bearer {token}"


_FORKS_AT_EACH_IMPORT = """
import os, signal, sys, threading
import lakekey
from support.reports import outcome, report

children, loading = [], threading.Semaphore(0)

class Notice:
    # Asked for each module that is loaded; it lets the main thread fork in the midst of it.
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            loading.release()
            threading.Event().wait(0.002)

provider = lakekey.provider()
sys.meta_path.insert(0, Notice())
leader = threading.Thread(target=provider.headers)
leader.start()
while leader.is_alive() and len(children) < 12:
    if not loading.acquire(timeout=0.2):
        continue
    while loading.acquire(blocking=False):
        pass
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os._exit(0 if provider.headers() else 1)
    children.append(pid)
leader.join()
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
report("result", statuses=statuses)
"""


def test_a_child_forked_while_its_parent_loads_code_can_load_it_too(machine):
    """Python's own locks on modules that are being imported are not released in a child."""
    with Child([sys.executable, "-W", "ignore", "-c", _FORKS_AT_EACH_IMPORT], machine.environ) as child:
        statuses = child.until("result")["statuses"]
    assert statuses
    assert statuses == [0] * len(statuses)
    machine.assert_session_is_whole()


_NOTICES_EACH_IMPORT = """
import sys, threading, traceback
import lakekey
from lakekey._imports import LOADING
from support.reports import report

bare = []  # what was loaded without it

class Notice:
    # Asked for each module that is loaded. A fork waits for an import under the lock; but for `logging`'s own, whose
    # lock Python takes first, it waits only if ours is the one that was registered last.
    def find_spec(self, name, path=None, target=None):
        frames = [frame.filename for frame in traceback.extract_stack() if "importlib" not in frame.filename][:-1]
        importer = frames[-1].rpartition("/")[2]
        if not LOADING._is_owned() or (name == "logging" and importer != "_loading.py"):
            bare.append(f"{name} by {importer}")

def work():
    provider = lakekey.provider()
    token = provider.token().access_token
    provider.invalidate(token)
    asyncio.run(provider.atoken())
    provider._source._session.renewal.early(provider.token().access_token)
    provider.on_session_ending(print)
    provider.logout()

import asyncio  # the program's own
sys.meta_path.insert(0, Notice())
worker = threading.Thread(target=work)
worker.start()
worker.join()
report("result", bare=bare)
"""


def test_whatever_is_loaded_late_is_loaded_under_the_lock_that_a_fork_waits_for(machine):
    with Child([sys.executable, "-W", "ignore", "-c", _NOTICES_EACH_IMPORT], machine.environ) as child:
        assert child.until("result")["bare"] == []


_FORKS_WHILE_A_LIBRARY_ASKS_FOR_ITS_LOGGER = """
import signal
from lakekey._imports import libraries  # before logging, as where nothing has been logged yet
import os, threading

def load():
    with libraries():
        import logging
        loading.set()
        threading.Event().wait(0.3)
        logging.getLogger("a.library")

signal.alarm(20)
loading = threading.Event()
thread = threading.Thread(target=load)
thread.start()
loading.wait()
pid = os.fork()
if pid == 0:
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread.join()
"""


def test_a_fork_and_a_library_that_asks_for_its_logger_do_not_wait_for_each_other():
    program = [sys.executable, "-W", "ignore", "-c", _FORKS_WHILE_A_LIBRARY_ASKS_FOR_ITS_LOGGER]
    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout == "0\n"


def is_free(machine):
    with machine.cache.lock(machine.entry_id) as locked:
        return locked


def test_a_child_forked_during_a_refresh_does_not_keep_the_lock(machine):
    provider = machine.provider()
    ended, lives = os.pipe()  # the child lives until it is told to end
    with in_flight(machine, provider) as go_on, forked(lambda: len(os.read(ended, 1))):
        go_on()
        until(lambda: machine.stored().generation > 1)
        until(lambda: is_free(machine))
    os.close(ended)
    os.close(lives)
    machine.assert_session_is_whole()


def test_a_child_renews_by_itself_what_its_parent_had_renewed(machine):
    """It has the parent's flights and threads by name only."""
    provider = machine.provider()
    first = workers.header(provider)

    def renew():
        provider.invalidate(first.removeprefix("Bearer "))
        return workers.header(provider)

    with forked(renew) as result:
        second = result()
    assert second == f"Bearer {machine.stored().access_token}"
    assert second != first
    provider.invalidate(first.removeprefix("Bearer "))
    assert workers.header(provider) == second, "the parent takes it from the cache"
    assert machine.token_requests() == 2
    machine.assert_session_is_whole()


_FORKS_WHILE_THREADS_ASK = """
import os, signal, threading
import lakekey
from support.reports import report

provider, stop, failures = lakekey.provider(), threading.Event(), []

def ask():
    while not stop.is_set():
        try:
            provider.invalidate(provider.token().access_token)
        except BaseException as error:
            failures.append(repr(error))

def child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os._exit(0 if work().headers() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads:
    thread.start()
statuses = [child(work) for _ in range(10) for work in (lambda: provider, lakekey.provider)]
stop.set()
for thread in threads:
    thread.join()
report("result", statuses=statuses, failures=failures)
"""


def test_children_forked_while_threads_ask_all_get_a_header(machine):
    with Child([sys.executable, "-W", "ignore", "-c", _FORKS_WHILE_THREADS_ASK], machine.environ) as child:
        report = child.until("result")
    assert report["failures"] == []
    assert report["statuses"] == [0] * len(report["statuses"])
    machine.assert_session_is_whole()


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.on_windows), "forkserver"])
def test_workers_of_a_pool_share_one_refresh(machine, method):
    provider = machine.provider()
    with multiprocessing.get_context(method).Pool(3) as pool:
        headers = pool.map(workers.header, [provider] * 6, chunksize=1)
    assert set(headers) == {f"Bearer {machine.stored().access_token}"}
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_an_error_travels_back_from_a_worker_as_it_is(machine):
    provider = machine.provider()
    with (
        machine.server.fault("token", "status", status=404, body={"error": "not_found"}, times=None),
        multiprocessing.get_context("fork").Pool(1) as pool,
        pytest.raises(TokenEndpointError, match="HTTP 404") as caught,
    ):
        pool.map(workers.header, [provider])
    assert (caught.value.status, caught.value.profile) == (404, machine.server.host)


_FORKS_WITH_A_SESSION_IN_MEMORY = """
import os, sys
import lakekey
from support.reports import outcome, report
provider = lakekey.provider()
token = provider.token().access_token
os.environ["LAKEKEY_INTERACTIVE"] = "never"
if os.fork() == 0:
    report("serves", ok=lakekey.provider().token().access_token == token)
    report("renews", **outcome(lambda: lakekey.provider().invalidate(token)))
    os._exit(0)
os.wait()
report("parent", **outcome(lambda: provider.invalidate(token)))
"""


def test_a_child_does_not_spend_the_refresh_token_of_a_session_in_its_parents_memory(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    environ = {"LAKEKEY_STORE": "memory:", "LAKEKEY_INTERACTIVE": "browser", "BROWSER": oidc_server.browser()}
    with Child([sys.executable, "-c", _FORKS_WITH_A_SESSION_IN_MEMORY], {**machine.environ, **environ}) as parent:
        assert parent.until("serves")["ok"]
        child, parents = parent.until("renews"), parent.until("parent")
    assert child["error"] == "LoginRequired"
    assert "in the memory of the process that forked this one" in child["message"]
    assert parents["ok"], parents
    counters = oidc_server.counters()
    assert counters["requests.token.refresh_token"] == 1
    assert counters["grant.error.invalid_grant"] == 0
