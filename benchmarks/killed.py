"""A process that is killed while it holds the lock: how long the next one takes to its header."""

import os
import statistics

from crowd import Process
from harness import Bench, Row
from herd import expire

ROUNDS = 7
# msal-extensions' lock, by itself: its cache takes it around each read and each change.
PEER_HOLDS = """
import os, sys
from msal_extensions import CrossPlatLock
with CrossPlatLock(sys.argv[1]):
    os.write(1, b'{"event": "at"}\\n')
    os.read(0, 1)
"""
PEER_NEXT = """
import json, sys, time
from msal_extensions import CrossPlatLock
began, error = time.monotonic(), ""
try:
    with CrossPlatLock(sys.argv[1]):
        pass
except Exception as problem:
    error = type(problem).__name__
seconds = time.monotonic() - began
print(json.dumps({"event": "result", "ok": not error, "error": error, "seconds": seconds}))
"""


def run(bench: Bench) -> list[Row]:
    cache = os.path.join(bench.home, "killed")
    environ = {"DATABRICKS_HOST": bench.box.host, "LAKEKEY_CACHE_DIR": cache}
    bench.child(["-c", "import lakekey; lakekey.provider().headers()"], **environ)
    environ["LAKEKEY_INTERACTIVE"] = "never"
    after, alone = [], []
    for _ in range(ROUNDS):
        for times, killed in ((alone, False), (after, True)):
            expire(cache)
            if killed:
                with Process(bench, ["-m", "support.programs.pauses_at", "under the lock", "main"], environ) as holder:
                    holder.until("at")
            with Process(bench, ["-m", "support.programs.asks_once"], environ) as following:
                end = following.until("result")
            if not end["ok"]:
                raise RuntimeError(str(end))
            times.append(end["seconds"])
    lock = os.path.join(bench.home, "peer.lock")
    with Process(bench, ["-c", PEER_HOLDS, lock], {}) as holder:
        holder.until("at")
    with Process(bench, ["-c", PEER_NEXT, lock], {}) as following:
        peer = following.until("result")
    shown = "served" if peer["ok"] else f"refused: {peer['error']}"
    median, slowest, base = statistics.median(after), max(after), statistics.median(alone)
    return [
        Row(
            "a refresh by a new process", base, note="discovery, TLS and the modules that talk to the network included"
        ),
        Row("a refresh by the next process, a lock holder killed", median, "no holder killed", median / base),
        Row("… the slowest of them", slowest, "1 s", slowest, 1.0, f"of {ROUNDS}, without a person"),
        Row(
            "msal-extensions' lock, a holder killed",
            0,
            note=f"after {peer['seconds']:.1f} s; as installed, without portalocker",
            counted=shown,
        ),
    ]
