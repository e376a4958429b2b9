"""A process whose token is stale: it asks for headers until it is told to stop, and reports how that went.

Usage: ``python -m support.programs.asks_often COUNT``: the first ``COUNT`` calls are timed, one after the other.
"""

import sys
import threading
import time

import lakekey
from support.reports import report, wait_for_word

if __name__ == "__main__":
    provider = lakekey.provider()
    seen = {provider.headers()["Authorization"]}
    slowest = 0.0
    for _ in range(int(sys.argv[1])):
        began = time.monotonic()
        seen.add(provider.headers()["Authorization"])
        slowest = max(slowest, time.monotonic() - began)
    report("asked", slowest=slowest, seen=sorted(seen))
    told = threading.Thread(target=wait_for_word)  # Windows' select knows only sockets
    told.start()
    while told.is_alive():
        seen.add(provider.headers()["Authorization"])
        told.join(0.02)
    threads = sorted(thread.name for thread in threading.enumerate())
    report("result", seen=sorted(seen), threads=threads)
