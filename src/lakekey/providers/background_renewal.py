"""One background thread for the whole process, started with the first stale token and gone when nothing is left.

It is a daemon: it keeps no program alive. An exchange that it has begun is completed all the same, since that runs
in a flight of its own (`lakekey._single_flight`).
"""

import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from lakekey import _log

_IDLE = 5.0


class Background:
    """Runs named jobs one after the other; a job that is already waiting is not added again.

    Args:
        idle: Seconds that its thread waits for another job.
    """

    def __init__(self, idle: float = _IDLE) -> None:
        self._idle = idle
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # a forked child has the queue but not the thread

    def _reset(self) -> None:
        # No lock: a finalizer that the garbage collector runs in the midst of `submit` may come here again, and so may
        # one in the new thread, before that has begun. Each of these is changed by single, atomic operations.
        self._jobs: dict[str, Callable[[], None]] = {}
        self._added: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, name: str, job: Callable[[], None]) -> None:
        """Run a job soon. Returns at once.

        Args:
            name: What the job is about; while one of that name waits, another is dropped.
            job: What to do.
        """
        if sys.is_finalizing():
            return  # a finalizer asks at the interpreter's very end: a thread would start and never run
        self._jobs.setdefault(name, job)
        self._added.put(None)
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        thread = threading.Thread(target=self._run, name="lakekey-background", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no room for a thread, or the interpreter is exiting
            self._jobs.clear()
            return
        self._thread = thread

    def _run(self) -> None:
        while True:
            try:
                self._added.get(timeout=self._idle)
            except Empty:
                self._thread = None  # what is added from here on starts a thread; what was added before is seen below
                if not self._jobs:
                    return
            while self._jobs:
                self._do_one()

    def _do_one(self) -> None:
        for name in list(self._jobs)[:1]:  # a copy, made in one step
            job = self._jobs.pop(name, None)
            if job is None:
                return  # another thread of ours has it
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the thread serves every provider and must outlive one job
                _log.warning("background", "the job for entry %s failed: %s", name[:12], type(error).__name__)


_process = Background()


def submit(name: str, job: Callable[[], None]) -> None:
    """Run a job in this process's background thread; see `Background.submit`."""
    _process.submit(name, job)
