"""A token endpoint that takes 5 s while the token is stale: what a caller notices of it.

This file run as a program is the caller: it asks for headers, one after the other, until the renewed token is there;
between them calls a function that returns a dict, which tells what the machine does to any call.
"""

import json
import os
import sys
import time
from typing import Any

DELAY = 5.0  # seconds
LEFT = 600.0  # seconds; of an hour, so that it is stale


def run(bench: Any) -> list[Any]:
    from harness import Row

    from lakekey.cache.opening import open_cache

    cache = os.path.join(bench.home, "stale")
    environ = {"DATABRICKS_HOST": bench.box.host, "LAKEKEY_CACHE_DIR": cache}
    bench.child(["-c", "import lakekey; lakekey.provider().headers()"], **environ)
    opened = open_cache({"LAKEKEY_KEY_SOURCE": "file"}, place=f"file:{cache}")
    [entry_id] = opened.list()
    stored = opened.read(entry_id)
    now = time.time()
    opened.put(
        entry_id, stored.entry._replace(issued_at=now + LEFT - 3600, expires_at=now + LEFT), replaces=stored.envelope
    )
    bench.box.fault("token", delay=DELAY)
    before = bench.box.counters["token.requests"]
    try:
        end = json.loads(bench.child([__file__], **environ))
    finally:
        bench.box.clear_faults()
    requests = bench.box.counters["token.requests"] - before
    what = f"a header while the token is stale and the endpoint takes {DELAY:g} s"
    note = (
        f"of {end['calls']} calls; {requests} token request; the same loop's slowest empty call: "
        f"{end['slowest empty'] * 1e3:.2f} ms; renewed after {end['seconds']:.1f} s"
    )
    return [
        Row(f"{what}: the median", end["median"]),
        Row(f"{what}: 99.99 of 100", end["most"]),
        Row(f"{what}: the slowest", end["slowest"], "5 ms", end["slowest"] / 5e-3, 1.0, note),
    ]


def measure(patience: float) -> dict[str, float]:
    import lakekey

    def empty() -> dict[str, str]:
        return {"Authorization": token}

    provider = lakekey.provider()
    first = provider.headers()
    token = first["Authorization"]
    times, others = [], []
    clock, began = time.perf_counter, time.monotonic()
    while time.monotonic() < began + patience:
        start = clock()
        header = provider.headers()
        between = clock()
        empty()
        others.append(clock() - between)
        times.append(between - start)
        if header != first:
            break
        # A caller has something else to do, too; and the exchange's thread needs the interpreter.
        time.sleep(0.0001)
    else:
        raise RuntimeError("the token was never renewed")
    times.sort()
    return {
        "calls": len(times),
        "seconds": time.monotonic() - began,
        "median": times[len(times) // 2],
        "most": times[int(len(times) * 0.9999)],
        "slowest": times[-1],
        "slowest empty": max(others),
    }


if __name__ == "__main__":
    json.dump(measure(float(sys.argv[1]) if sys.argv[1:] else 4 * DELAY), sys.stdout)
