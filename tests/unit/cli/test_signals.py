"""SIGTERM and SIGHUP end a command: also where Python swallows the first, and nothing is struck twice."""

import signal
import subprocess
import sys

import pytest

from lakekey._commitment import Commitment
from lakekey.cli import signals

SWALLOWED = """
import signal, subprocess, time
from lakekey.cli import signals

class Late:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

signals.prepare()
Late()
print("lives on")
try:
    while True:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.05)
except signals.Ended:
    print("a child ends by", subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode)
"""


@pytest.mark.posix_signals
def test_signal_that_a_finalizer_swallowed_ends_the_command_when_it_is_sent_again():
    done = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"lives on\na child ends by {-signal.SIGTERM}\n"
    assert done.returncode == -signal.SIGTERM


def test_signal_that_arrives_twice_at_once_is_handled_once():
    with pytest.raises(signals.Ended):
        signals._end(signal.SIGTERM, None)
    signals._end(signal.SIGTERM, None)


def test_later_signal_does_not_strike_the_wait_for_an_answer():
    signals._told.append((signal.SIGTERM, float("-inf")))
    commitment = Commitment()
    commitment.commit()
    signals._end(signal.SIGTERM, None)
    commitment.settled()
    with pytest.raises(signals.Ended):
        signals._end(signal.SIGTERM, None)
