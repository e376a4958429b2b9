"""Many processes, released together on one expired session, and on one service principal; and peers, 8 of each.

Ours are the processes of `support.programs.storm`. Each peer begins with a session of its own in its own cache, whose
access token has expired and whose refresh token is single-use, as the server's rotation has it.
"""

import contextlib
import json
import os
import statistics
import time
from pathlib import Path

from crowd import Process
from harness import HERE, Bench, Row

from lakekey.cache.opening import open_cache

PEERS = {
    "databricks-sdk, external-browser": "sdk.py",
    "databricks-sql-connector, its file persistence": "connector.py",
    "msal with msal-extensions": "with_msal.py",
    "botocore, SSO session": "with_botocore.py",
}
CROWD = 8
STORMS = 3
PATIENCE = 15.0  # seconds; a peer that has opened a browser waits for a person to sign in


def run(bench: Bench) -> list[Row]:
    rows = []
    service = {"DATABRICKS_CLIENT_ID": bench.box.client_id, "DATABRICKS_CLIENT_SECRET": bench.box.client_secret}
    for what, more in (("on one expired session", {}), ("as one service principal (M2M)", service)):
        alone = statistics.median(storm(bench, 1, 1, **more)["slowest"] for _ in range(3))
        rows.append(
            _ours(f"64 processes of 8 threads {what}", [storm(bench, 64, 8, **more) for _ in range(STORMS)], alone)
        )
    rows.insert(1, _ours("8 processes of 1 thread on one expired session", [storm(bench, CROWD, 1)], None))
    rows += [peer_herd(bench, name, program) for name, program in PEERS.items()]
    rows.append(peer_herd(bench, "databricks-sdk, oauth-m2m", "sdk.py", "service"))
    return rows


def storm(bench: Bench, processes: int, threads: int, **more: str) -> dict[str, float]:
    """Lets ours loose on an expired token: token requests, failures, browsers, the slowest header in seconds."""
    tabs = Path(bench.home, "tabs")
    tabs.unlink(missing_ok=True)
    cache = os.path.join(bench.home, "herd-m2m" if more else "herd")
    environ = {"DATABRICKS_HOST": bench.box.host, "LAKEKEY_CACHE_DIR": cache, **more}
    bench.child(["-c", "import lakekey; lakekey.provider().headers()"], **environ)
    expire(cache)
    environ["BROWSER"] = _recorder(tabs)
    before = bench.box.counters["token.requests"]
    with Process(bench, ["-m", "support.programs.storm", str(processes), str(threads)], environ) as zygote:
        zygote.until("ready")
        zygote.go_on()
        reports = [zygote.until("process") for _ in range(processes)]
        zygote.until("result")
    return {
        "requests": bench.box.counters["token.requests"] - before,
        "failures": sum(len(report["errors"]) for report in reports),
        "headers": sum(len(report["seconds"]) for report in reports),
        "browsers": _lines(tabs),
        "slowest": max(max(report["seconds"]) for report in reports),
    }


def expire(directory: str) -> None:
    """Makes the access token of the only session in a cache one that expired a minute ago."""
    cache = open_cache({"LAKEKEY_KEY_SOURCE": "file"}, place=f"file:{directory}")
    [entry_id] = cache.list()
    stored = cache.read(entry_id)
    age = time.time() - 60 - stored.entry.expires_at
    entry = stored.entry._replace(issued_at=stored.entry.issued_at + age, expires_at=stored.entry.expires_at + age)
    if not cache.put(entry_id, entry, replaces=stored.envelope):
        raise RuntimeError("the session changed meanwhile")


def _ours(what: str, ends: list[dict[str, float]], alone: float | None) -> Row:
    # Of several storms the worst in what must hold every time, and the median of what the machine's noise is in.
    requests = max(end["requests"] for end in ends)
    served = min(end["headers"] - end["failures"] for end in ends)
    browsers = max(end["browsers"] for end in ends)
    slowest = statistics.median(end["slowest"] for end in ends)
    plural = "" if requests == 1 else "s"
    counted = f"{requests} token request{plural}, {served} of {ends[0]['headers']} served"
    met = requests == 1 and served == ends[0]["headers"] and not browsers
    note = f"{browsers} browsers; slowest header {slowest:.2f} s"
    if alone is None:
        return Row(what, 0, note=note, counted=counted, met=met)
    # One process by itself pays the endpoint's latency, and what it loads to talk to it.
    note = f"{len(ends)} storms, the worst; {note} (median); one process alone {alone:.2f} s"
    return Row(what, 0, "slowest header: one alone + 2 s", slowest / (alone + 2), 1.0, note, counted, met)


def peer_herd(bench: Bench, name: str, program: str, kind: str = "person") -> Row:
    """Lets a peer's processes loose on its own expired session."""
    path, tabs = os.path.join(HERE, "peers", program), Path(bench.home, "tabs")
    tabs.unlink(missing_ok=True)
    environ = {"BROWSER": _recorder(tabs)}
    if kind == "person":
        environ["BENCH_SESSION"] = json.dumps(bench.session())
        bench.child([path, "fill", "-60"], **environ)
    before, began = bench.box.counters, time.monotonic()
    served, ends = 0, []
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Process(bench, [path, "told", kind], environ)) for _ in range(CROWD)]
        for process in crowd:
            process.until("ready")
        for process in crowd:
            process.go_on()
        began = time.monotonic()
        for process in crowd:
            with contextlib.suppress(TimeoutError, EOFError):
                end = process.until("result", max(0.1, began + PATIENCE - time.monotonic()))
                served += end["ok"]
                ends.append(end["seconds"])
    after = bench.box.counters
    requests, reuses = (after.get(count, 0) - before.get(count, 0) for count in ("token.requests", "reuses"))
    note = f"{_lines(tabs)} browsers; {reuses} reuses of a spent refresh token"
    if len(ends) < CROWD:
        note += f"; {CROWD - len(ends)} still waited for a person after {PATIENCE:.0f} s, and were ended"
    counted = f"{requests} token requests, {served} of {CROWD} served"
    return Row(f"{CROWD} processes of 1 thread: {name}", 0, note=note, counted=counted)


def _recorder(tabs: Path) -> str:
    """A browser that notes that it was opened, and in which no person signs in."""
    return f"sh -c 'echo >> {tabs}' %s"


def _lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0
