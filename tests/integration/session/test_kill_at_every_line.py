"""SIGKILL before any line of a refresh, not only at the steps that have names: each costs nothing, or the one window.

All lines that read and write the disk are tried, and as many of the others as there is time for; with ``EVERY_LINE``
in the environment, all.
"""

import os
import random
from collections import Counter

import pytest

from lakekey import LoginRequired

pytestmark = pytest.mark.usefixtures("unattended")

OTHERS = 100


def run_until(zygote, line):
    """What a child that is killed at this line reports; at line 0 it is not killed."""
    zygote.process.stdin.write(f"{line}\n".encode())
    zygote.process.stdin.flush()
    said = zygote.next()
    zygote.until("gone")
    return said


def what_it_cost(machine, before, requests):
    """What a kill has left: ``nothing sent``, ``window`` or ``stored``; anything else is a failure."""
    machine.server.settle()
    entry = machine.stored()
    state = machine.server.token_state(entry.refresh_token)
    found = (machine.token_requests() - requests, entry.generation - before.generation, state)
    kinds = {(0, 0, "current"): "nothing sent", (1, 0, "consumed"): "window", (1, 1, "current"): "stored"}
    assert found in kinds, found
    return kinds[found]


def assert_who_comes_next_goes_on(machine, kind):
    requests = machine.token_requests()
    provider = machine.provider()
    if kind == "window":
        with pytest.raises(LoginRequired):
            provider.headers()
        assert machine.token_requests() == requests + 1
        assert machine.stored().refused is not None
        machine.sign_in()
    else:
        assert provider.headers() == {"Authorization": f"Bearer {machine.stored().access_token}"}
        assert machine.token_requests() == requests + (kind == "nothing sent")
        machine.assert_session_is_whole()
    if kind != "stored":  # there, no process had anything to write since
        assert list(machine.entries.glob("*.tmp")) == []
    assert list(machine.entries.glob("*.bad")) == []


@pytest.mark.timeout(300)
def test_a_kill_at_any_line_costs_nothing_but_an_answer_that_was_not_stored(machine):
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown when it fails
    chance = random.Random(seed)
    kinds = Counter()
    with machine.child("killed_at_lines") as zygote:
        zygote.until("ready")
        run_until(zygote, 0)  # finds the server, which later ones remember
        machine.store(left=-60, refresh_token=machine.stored().refresh_token)
        run = run_until(zygote, 0)
        others = run["lines"] if "EVERY_LINE" in os.environ else OTHERS
        lines = sorted({*run["writing"], *chance.sample(range(1, run["lines"] + 1), others)})
        for line in lines:
            before = machine.store(left=-60, refresh_token=machine.stored().refresh_token)
            requests = machine.token_requests()
            said = run_until(zygote, line)
            if said["event"] == "ended":
                continue  # a few lines depend on time
            kind = what_it_cost(machine, before, requests)
            kinds[kind] += 1
            assert_who_comes_next_goes_on(machine, kind)
    print(f"{len(lines)} of {run['lines']} lines: {kinds}")
    assert len(run["writing"]) > 50
    assert sum(kinds.values()) > 0.95 * len(lines)
    assert min(kinds[kind] for kind in ("nothing sent", "window", "stored")) > 0, kinds
