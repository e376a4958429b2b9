"""Many processes of many threads that ask for a header at the same instant.

Usage: ``python -m support.programs.storm PROCESSES THREADS``. It imports lakekey once and forks the processes, as a
pre-forking server does; with 0 for PROCESSES it is the one process itself. When all threads stand at the gate it
reports ``ready``, and opens the gate when it is told to. Each process reports its threads' outcomes, and stays until
all have: the end of one costs processor time that the headers of the others would wait for. ``result`` is the last
report. Where ``STORM_HOMES`` names a directory, each process has a home of its own in it, as if it were a host.
"""

import os
import sys
import threading
from typing import Any

import lakekey
from support.reports import outcome, report, wait_for_word


def ask(provider: lakekey.Provider, gate: int, outcomes: list[dict[str, Any]]) -> None:
    os.read(gate, 1)  # returns when the other end is closed everywhere: for all threads at once
    outcomes.append(outcome(provider.headers))


def move(number: int) -> None:
    """Be at home elsewhere than the others."""
    homes = os.environ.get("STORM_HOMES")
    if homes:
        os.environ["HOME"] = home = os.path.join(homes, f"host-{number}")
        os.environ["LAKEKEY_CACHE_DIR"] = os.path.join(home, "cache")
        os.makedirs(home, mode=0o700)


def one_process(number: int, threads: int, ready: int, gate: int, leave: int | None = None) -> None:
    move(number)
    provider = lakekey.provider()
    outcomes: list[dict[str, Any]] = []
    crowd = [threading.Thread(target=ask, args=(provider, gate, outcomes)) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    os.write(ready, b".")
    for thread in crowd:
        thread.join()
    report(
        "process",
        headers=len({str(end.pop("value", None)) for end in outcomes}),
        errors=[f"{end['error']}: {end['message']}"[:200] for end in outcomes if not end["ok"]],
        seconds=[round(end["seconds"], 3) for end in outcomes],
    )
    if leave is not None:
        os.write(ready, b".")
        os.close(ready)  # so that the last one's end is seen, also where another has died
        os.read(leave, 1)


def main(processes: int, threads: int) -> None:
    ready, at_the_gate = os.pipe()
    gate, opener = os.pipe()
    leave, let_go = os.pipe()
    pids = []
    if not processes:
        work = threading.Thread(target=one_process, args=(0, threads, at_the_gate, gate))
        work.start()
        os.read(ready, 1)
        report("ready")
        wait_for_word()
        os.close(opener)
        work.join()
        return
    for number in range(processes):
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            os.close(let_go)
            one_process(number, threads, at_the_gate, gate, leave)
            return  # and exits as an interpreter does
        pids.append(pid)
    for _ in pids:
        os.read(ready, 1)
    report("ready")
    wait_for_word()
    os.close(opener)
    os.close(at_the_gate)
    for _ in pids:
        os.read(ready, 1)
    os.close(let_go)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    report("result", statuses=sorted(set(statuses)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
