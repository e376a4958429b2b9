"""A header on the hot path, 1 thread and 8, beside databricks-sdk's ``Config.authenticate()`` (oauth-m2m).

The measuring itself is this file run as a program, in a process in which nothing else goes on.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

CALLS = 40_000
ROUNDS = 15
THREADS = (1, 8)


def run(bench: Any) -> list[Any]:
    from harness import Row

    medians = bench.child_json(__file__)

    def row(name: str, threads: int, peer: str, budget: float | None, **more: str) -> Row:
        seconds, other = medians[f"{name} {threads}"], medians[f"{peer} {threads}"]
        many = f"{threads} thread{'s' * (threads > 1)}"
        return Row(f"a header on the hot path, {many}", seconds, f"{peer}, {many}", seconds / other, budget, **more)

    rows = [row("lakekey", threads, "SDK Config.authenticate()", 1 / 10) for threads in THREADS]
    rows += [row("lakekey", threads, "a function that returns a dict", None) for threads in THREADS]
    one, eight = (medians[f"lakekey {threads}"] for threads in THREADS)
    lock = medians["a function that returns a dict 8"] / medians["a function that returns a dict 1"]
    note = f"the interpreter's lock: {lock:.2f}"
    rows.append(Row("a call with 8 threads", eight, "a call with 1 thread", eight / one, None, note))
    return rows


def measure() -> dict[str, float]:
    import lakekey

    # Before the SDK is there: what a plain program pays.
    factory = lakekey.provider("service")()
    factory()
    from databricks.sdk.core import Config

    config = Config(profile="service")
    config.authenticate()
    token = "Bearer " + "x" * 800

    def floor() -> dict[str, str]:
        return {"Authorization": token}

    subjects = {
        "lakekey": factory,
        "SDK Config.authenticate()": config.authenticate,
        "a function that returns a dict": floor,
    }
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for threads in THREADS:
            for name, subject in subjects.items():
                times.setdefault(f"{name} {threads}", []).append(_per_call(subject, threads))
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def _per_call(subject: Callable[[], object], threads: int) -> float:
    """Seconds of the machine's time for a call, with so many threads calling at once."""
    calls = CALLS // threads
    start = threading.Barrier(threads + 1)

    def work() -> None:
        start.wait()
        for _ in range(calls):
            subject()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - began) / (calls * threads)


if __name__ == "__main__":
    json.dump(measure(), sys.stdout)
