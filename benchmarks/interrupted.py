"""A process that gets a Ctrl-C, or a SIGTERM that it handles, in a refresh: whether the session survives."""

import os
import signal

from crowd import Process
from harness import Bench, Row
from herd import expire

# Where it is struck. Once the request is sent it goes on from there, and ends when the answer is stored.
STEPS = {"under the lock": False, "answer received": True, "temporary written": True, "stored": True}
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(bench: Bench) -> list[Row]:
    cache = os.path.join(bench.home, "interrupted")
    environ = {"DATABRICKS_HOST": bench.box.host, "LAKEKEY_CACHE_DIR": cache}
    bench.child(["-c", "import lakekey; lakekey.provider().headers()"], **environ)
    environ["LAKEKEY_INTERACTIVE"] = "never"  # a session that is lost would not come back by itself
    survived = 0
    for step, sent in STEPS.items():
        for number in SIGNALS:
            expire(cache)
            with Process(bench, ["-m", "support.programs.pauses_at", step, "main"], environ) as struck:
                struck.until("at")
                struck.signal(number)
                if sent:
                    struck.until("signal")
                    struck.go_on()
                struck.until("ended")
            expire(cache)
            with Process(bench, ["-m", "support.programs.asks_once"], environ) as following:
                survived += following.until("result")["ok"]
    struck_in_all = len(STEPS) * len(SIGNALS)
    return [
        Row(
            "Ctrl-C, or a SIGTERM that is handled, during a refresh",
            0,
            note=f"2 signals at {len(STEPS)} steps; each session is refreshed once more by a new process",
            counted=f"{survived} of {struck_in_all} sessions survived",
            met=survived == struck_in_all,
        )
    ]
