"""Many processes of one host on one expired session of a shared store: one asks, and the others load no driver."""

import sys
from contextlib import ExitStack

import pytest

from support.sessions import Child

pytestmark = pytest.mark.timeout(180)
WATCHED = """
import sys, threading, lakekey
from support.reports import outcome, report

def watch():
    while not any(thread.name == "lakekey-exchange" for thread in threading.enumerate()):
        ended.wait(0.01)
    report("waits")

provider, ended = lakekey.provider(), threading.Event()
threading.Thread(target=watch, daemon=True).start()
report("result", **outcome(lambda: bool(provider.headers())), loaded=sorted({"psycopg", "redis"} & set(sys.modules)))
"""


def test_processes_that_wait_for_the_first_of_their_host_load_no_driver(fleet, oidc_server):
    host = fleet.host("a")
    host.sign_in()
    oidc_server.reset()
    with oidc_server.hold() as hold, ExitStack() as stack, host.started("asks_once") as first:
        hold.wait()
        others = [stack.enter_context(Child([sys.executable, "-c", WATCHED], host.environ)) for _ in range(3)]
        for other in others:
            other.until("waits")
        hold.release()
        assert first.result()["ok"]
        ends = [other.result() for other in others]
    assert [(end["ok"], end["loaded"]) for end in ends] == [(True, [])] * 3
    assert oidc_server.counters()["requests.token"] == 1
    host.assert_session_is_whole()
