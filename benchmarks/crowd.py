"""Child processes that report lines of JSON, wait at a gate, and go through it together."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from harness import TESTS, Bench

PATIENCE = 120.0  # seconds


class Process:
    """A Python process that reports on its standard output; it is gone when the block ends."""

    def __init__(self, bench: Bench, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        environment = {**bench.environment, "PYTHONPATH": TESTS, "PYTHONWARNINGS": "ignore", **environ}
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    def kill(self) -> None:
        """Kills it with SIGKILL, and waits for its death."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def until(self, event: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Its next report of this event.

        Raises:
            TimeoutError: None came in time.
            EOFError: It ended without one.
        """
        deadline = time.monotonic() + patience
        while True:
            while b"\n" not in self._unread:
                if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError(event)
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    raise EOFError(event)
                self._unread += chunk
            line, _, self._unread = self._unread.partition(b"\n")
            if line.startswith(b"{") and (report := json.loads(line)).get("event") == event:
                return report

    def go_on(self) -> None:
        """Lets it go on from where it waits."""
        self._process.stdin.write(b".")
        self._process.stdin.flush()
