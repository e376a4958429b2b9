"""Workers that are killed, interrupted and restarted at random, for as long as anybody has patience."""

import os
import random
import select
import signal
import time
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from lakekey import LoginRequired
from lakekey.cache.entry import Entry
from support.sessions import Child, Machine

SECONDS = 20.0
LONGEST = 80.0  # on a machine that has other things to do, until as much has happened
WORKERS = 4


class Kill(NamedTuple):
    """A kill, with what the machine looked like while the victim was stopped and the server at rest."""

    generation: int
    token_state: str


class Soak:
    """A machine with workers, and a journal of what was done to them."""

    def __init__(self, machine: Machine, chance: random.Random, stack: ExitStack) -> None:
        self.machine, self.chance, self.stack = machine, chance, stack
        self.workers: dict[Child, float] = {}
        self.ready: set[Child] = set()
        self.kills: list[Kill] = []
        self.struck = {"SIGKILL": 0, "SIGINT": 0, "SIGTERM": 0}
        self.ends: list[Entry] = []
        self.ended_at = 0.0

    def fill_up(self) -> None:
        while len(self.workers) < WORKERS:
            worker = self.machine.child("soak_worker", str(self.chance.getrandbits(32)))
            self.workers[self.stack.enter_context(worker)] = time.monotonic()

    def strike(self) -> None:
        # One that is still starting up has nothing to lose.
        ready = [worker for worker in self.workers if worker in self.ready]
        if not ready:
            return
        victim = self.chance.choice(ready)
        name = self.chance.choices(list(self.struck), weights=[4, 4, 2])[0]
        self.struck[name] += 1
        if name == "SIGKILL":
            self.kill(victim)
        else:
            victim.signal(getattr(signal, name))

    def kill(self, victim: Child) -> None:
        """Stops the victim first, and lets the server finish, so that what its death costs can be known."""
        victim.signal(signal.SIGSTOP)
        if victim.process.returncode is not None:
            return  # it had ended by itself
        os.waitid(os.P_PID, victim.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        for _ in range(3):  # what it has sent may still be on its way into the server
            self.machine.server.settle()
        entry = self.machine.stored()
        self.kills.append(Kill(entry.generation, self.machine.server.token_state(entry.refresh_token)))
        victim.kill()

    def look_after(self, patience: float) -> None:
        """Takes in what the workers report, for so long, and makes good for those that are gone."""
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            pipes = {worker.process.stdout: worker for worker in self.workers}
            readable, _, _ = select.select(list(pipes), [], [], left)
            for pipe in readable:
                self.hear(pipes[pipe])
            self.fill_up()

    def hear(self, worker: Child) -> None:
        try:
            report = worker.next()
        except EOFError:
            del self.workers[worker]
            self.ready.discard(worker)
            return
        self.ready.add(worker)
        if report["event"] == "result":
            assert report["error"] == "LoginRequired", report
            self.account_for_an_end(self.workers[worker])

    def account_for_an_end(self, since: float) -> None:
        """A session may end in one way only: killed between the server's commit and the durable write."""
        entry = self.machine.stored()
        if entry.refused is None:
            # Signed in again already: this worker learnt late of an end that was accounted for.
            assert self.ended_at > since, "a worker was told that the session is over, and it was not"
            return
        assert Kill(entry.generation - 1, "consumed") in self.kills, (
            f"no worker was killed with an answer to generation {entry.generation - 1}: {self.kills[-5:]}"
        )
        self.ends.append(entry)
        self.machine.repair()
        self.ended_at = time.monotonic()

    def has_seen_enough(self) -> bool:
        refreshes = self.machine.server.counters()["requests.token.refresh_token"]
        return refreshes > 20 and min(self.struck.values()) > 2

    def stop(self) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait()


@pytest.mark.timeout(180)
def test_soak_with_random_kills_loses_only_answers_not_received(oidc_server, tmp_path):
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown when it fails
    oidc_server.set_ttl(access=3)
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    # A moment between commit and answer, so that some kills fall into it.
    oidc_server.fault("token", "delay", processed=True, seconds=0.03, times=None)
    with ExitStack() as stack:
        soak = Soak(machine, random.Random(seed), stack)
        soak.fill_up()
        began = time.monotonic()
        while (spent := time.monotonic() - began) < SECONDS or (spent < LONGEST and not soak.has_seen_enough()):
            soak.look_after(soak.chance.uniform(0.02, 0.3))
            soak.strike()
        soak.stop()
        # The last kill may have cost an answer that no process has missed yet: the access token serves for a while.
        try:
            machine.provider().invalidate(machine.stored().access_token)
        except LoginRequired:
            soak.account_for_an_end(time.monotonic())
        assert machine.fresh_process()["ok"]
    machine.assert_session_is_whole()
    counters = oidc_server.counters()
    print(soak.struck, len(soak.ends), "ends", counters)
    assert soak.has_seen_enough()
    # A dead token is sent once, and again only if the process that was told so was killed before it could pass that on.
    untold = sum(kill.token_state == "revoked" for kill in soak.kills)
    assert len(soak.ends) <= counters["grant.error.invalid_grant"] <= len(soak.ends) + untold
