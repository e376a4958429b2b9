"""Windows processes that share a session, against a server on Linux's loopback."""

import os
from contextlib import ExitStack

import pytest

from support import wine

pytestmark = pytest.mark.timeout(600)

THREADS = """
import threading
import lakekey
from support.reports import outcome, report, wait_for_word
provider = lakekey.provider()
ends = []
gate = threading.Event()
def ask():
    gate.wait()
    ends.append(outcome(provider.headers))
crowd = [threading.Thread(target=ask) for _ in range(4)]
[thread.start() for thread in crowd]
report("ready")
wait_for_word()
gate.set()
[thread.join() for thread in crowd]
report("result", ends=[(end["ok"], str(end.get("value", end))) for end in ends])
"""
INTERRUPTED = """
import signal, sys, threading
import lakekey
from support.reports import report, wait_for_word
number = getattr(signal, sys.argv[1])
signal.signal(number, signal.default_int_handler)
def strike():  # as the console does: the handler runs in a thread of its own
    wait_for_word()
    report("signal")
    signal.raise_signal(number)
threading.Thread(target=strike, daemon=True).start()
try:
    lakekey.provider().headers()
except KeyboardInterrupt:
    report("ended", by="KeyboardInterrupt")
else:
    report("ended", by="itself")
"""
SPAWN = """
import multiprocessing, pickle, sys
import lakekey
from support.programs import asks_spawned
from support.reports import report
if __name__ == "__main__":
    provider = lakekey.provider()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        report("result", same=set(pool.map(asks_spawned.token, [provider] * 4)) == {provider.token().access_token})
"""


def test_16_processes_of_4_threads_make_one_request(machine):
    with ExitStack() as stack:
        crowd = [stack.enter_context(machine.python(THREADS)) for _ in range(16)]
        for child in crowd:
            child.until("ready")
        for child in crowd:
            child.go_on()
        ends = [end for child in crowd for end in child.result()["ends"]]
    assert len(ends) == 64
    assert all(ok for ok, _ in ends), ends
    assert len({value for _, value in ends}) == 1
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_service_principal_gets_a_token_once_for_two_processes(service):
    assert service.fresh_process()["ok"]
    assert service.fresh_process()["ok"]
    assert service.token_requests() == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGBREAK"], ids=["Ctrl-C", "Ctrl-Break"])
def test_an_interrupt_during_the_exchange_keeps_the_answer(machine, name):
    with machine.server.hold() as hold, machine.python(INTERRUPTED, name) as child:
        hold.wait(timeout=wine.PATIENCE)
        child.go_on()
        child.until("signal")
        hold.release()
        assert child.until("ended")["by"] == "KeyboardInterrupt"
        child.wait()
    machine.assert_session_is_whole()
    assert machine.token_requests() == 1


def test_spawned_processes_get_the_provider_by_pickle(machine):
    with machine.python(SPAWN) as child:
        assert child.result()["same"]
    assert machine.token_requests() == 1


def test_a_damaged_entry_asks_to_sign_in_and_is_not_a_traceback(machine):
    path = machine.entries / f"{machine.entry_id}.entry"
    path.write_bytes(os.urandom(200))
    end = machine.fresh_process()
    assert not end["ok"]
    assert end["error"] in {"LoginRequired", "CacheDamaged"}
