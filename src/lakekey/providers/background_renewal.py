"""One background thread for the whole process, started with the first stale token and gone when nothing is left.

It is a daemon: it keeps no program alive. An exchange that it has begun is seen through all the same, since that runs
in a flight of its own (`lakekey._single_flight`).
"""

import os
import threading
from collections.abc import Callable

from lakekey import _log

_IDLE = 5.0


class Background:
    """Runs named jobs one after the other; a job that is already waiting is not added again."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # a forked child has the queue but not the thread

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._jobs: dict[str, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None

    def submit(self, name: str, job: Callable[[], None]) -> None:
        """Run a job soon. Returns at once.

        Args:
            name: What the job is about; while one of that name waits, another is dropped.
            job: What to do.
        """
        with self._changed:
            self._jobs.setdefault(name, job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lakekey-background", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is exiting
                    self._thread = None
                    self._jobs.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._jobs and not self._changed.wait_for(lambda: bool(self._jobs), timeout=_IDLE):
                    self._thread = None
                    return
                name = next(iter(self._jobs))
                job = self._jobs.pop(name)
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the thread serves every provider and must outlive one job
                _log.warning("background", "the job for entry %s failed: %s", name[:12], type(error).__name__)


_process = Background()


def submit(name: str, job: Callable[[], None]) -> None:
    """Run a job in this process's background thread; see `Background.submit`."""
    _process.submit(name, job)
