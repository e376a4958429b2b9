"""What sealing and opening cost, and a first header from a cache of 1, 100 and 10,000 entries.

This file run as a program measures one process's own work; ``fill COUNT`` fills a cache up.
"""

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

COUNTS = (1, 100, 10_000)
LAKEKEY = "import lakekey; lakekey.provider('person').headers()"


def run(bench: Any) -> list[Any]:
    from harness import HERE, Row

    tokens = {"BENCH_SESSION": json.dumps(bench.session())}
    msal = os.path.join(HERE, "peers", "with_msal.py")
    # The peer's program as `python -c` text, so that both are run alike.
    peer = f"import sys, runpy; sys.argv[:] = ['', 'ask']; sys.path.insert(0, {os.path.dirname(msal)!r}); "
    peer += f"runpy.run_path({msal!r}, run_name='__main__')"
    programs, environments, work = {}, {}, {}
    for count in COUNTS:
        ours, theirs = f"lakekey {count}", f"msal {count}"
        home = os.path.join(bench.home, f"entries-{count}")
        os.mkdir(home, 0o700)
        environments[ours] = {"LAKEKEY_CACHE_DIR": os.path.join(home, "cache")}
        environments[theirs] = {"HOME": home, **tokens}
        programs |= {ours: LAKEKEY, theirs: peer}
        bench.child(["-c", LAKEKEY], **environments[ours])
        bench.child([__file__, "fill", str(count)], **environments[ours])
        bench.child([msal, "fill", "3500", str(count)], **environments[theirs])
        work[count] = json.loads(bench.child([__file__, "measure"], **environments[ours]))
    medians = bench.process_times(
        programs,
        rounds=9,
        repeat=3,
        slow=[f"msal {count}" for count in COUNTS],
        environments=environments,
    )
    one = work[1]
    rows = [
        Row(f"sealing an entry of {one['bytes']} bytes", one["seal"], note="CPU time; JSON, HKDF, AES-256-GCM"),
        Row("opening it", one["open"], note="CPU time"),
        Row("reading it: file, checks, opening", one["read"]),
        Row("storing it: lock, two fsyncs, atomic replace", one["store"]),
    ]
    for count in COUNTS[1:]:
        seconds = work[count]["read"]
        rows.append(Row(f"reading one of {count:,} entries", seconds, "of 1", seconds / one["read"]))
    for count in COUNTS:
        what = f"a new process to its first header, {count:,} entr{'y' if count == 1 else 'ies'}"
        ours, theirs = medians[f"lakekey {count}"], medians[f"msal {count}"]
        if count > 1:
            rows.append(Row(what, ours, "with 1 entry", ours / medians["lakekey 1"], 1.15))
        rows.append(Row(what, ours, "msal with msal-extensions", ours / theirs, note=f"msal: {theirs * 1e3:.0f} ms"))
    return rows


def fill(count: int) -> None:
    """Adds sealed entries, as files, until there are so many; without the two fsyncs that storing each takes."""
    import lakekey
    from lakekey.cache.envelope import seal
    from lakekey.session.session import Session

    session = Session(lakekey.provider("person").target)
    cache, plaintext = session.cache, session.peek().to_bytes()
    for number in range(count - len(cache.list())):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        with open(os.open(cache.store.place(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(seal(cache.ring, name, plaintext))
    if len(cache.list()) != count:
        raise RuntimeError(f"{len(cache.list())} entries")


def measure() -> dict[str, float]:
    import lakekey
    from lakekey.cache.entry import Entry
    from lakekey.cache.envelope import seal
    from lakekey.session.session import Session

    session = Session(lakekey.provider("person").target)
    cache, name, entry = session.cache, session.entry_id, session.peek()
    envelope = cache.read(name).envelope
    subjects: dict[str, Callable[[], object]] = {
        "seal": lambda: seal(cache.ring, name, entry.to_bytes()),
        "open": lambda: Entry.from_bytes(cache.open(name, envelope)),
        "read": lambda: cache.read(name),
        "store": lambda: cache.put(name, entry, replaces=cache.store.get(name)),
    }
    times: dict[str, list[float]] = {what: [] for what in subjects}
    for _ in range(300):
        for what, subject in subjects.items():
            # What only computes is told in the processor's time; what also waits for a disk, in the wall clock's.
            clock = time.thread_time if what in ("seal", "open") else time.perf_counter
            began = clock()
            subject()
            times[what].append(clock() - began)
    return {"bytes": len(entry.to_bytes()), **{what: statistics.median(taken) for what, taken in times.items()}}


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        json.dump(measure(), sys.stdout)
