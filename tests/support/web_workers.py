"""Processes of a host application with the portal in it, of which each may get any step of a sign-in."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0


class Worker:
    """One uvicorn process."""

    def __init__(self, directory, url, number, **environ):
        self.log = directory / f"worker-{number}.log"
        self._file = self.log.open("w")
        command = [sys.executable, "-m", "uvicorn", "support.programs.portal_app:app", "--port", "0"]
        support = Path(__file__).parents[1]
        self.process = subprocess.Popen(
            [*command, "--log-level", "trace"],  # what the most talkative setting says is searched for secrets
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PORTAL_URL": url, "PYTHONPATH": str(support), **environ},
        )

    def ready(self):
        """Waits until it serves; returns its address."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"Uvicorn running on (http://127\.0\.0\.1:\d+)", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return found[1]

    def end(self, number=signal.SIGTERM):
        """Ends it."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self._file.close()


@contextmanager
def workers(directory, url, count=2, environ_of=lambda number: {}):
    """Some workers, each with the environment that it has of its own; gives them with their addresses."""
    started = [Worker(directory, url, number, **environ_of(number)) for number in range(count)]
    try:
        yield [(worker, worker.ready()) for worker in started]
    finally:
        for worker in started:
            if worker.process.poll() is None:
                worker.end()
