"""What outlives a fork: the servers that its tests share, which start once, and the processes that a test cut short leaves.

A server of the whole run would start in each fork, and stay behind in each that a failing test ends. So those that the
tests ask for start before the forks, in the process that makes them; and what a fork leaves is ended after it.
"""

import contextlib
import ctypes
import os
import signal
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

# The fixtures, each a server of its own.
_SERVERS = ("oidc_server_process", "postgresql_process", "redis_process", "valkey_process")
_PR_SET_CHILD_SUBREAPER = 36


class Lasting:
    """The servers of a run of pytest.

    Args:
        session: The run, whose tests are collected.

    Attributes:
        asked_for: The names of the fixtures that the tests of this process have asked for.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.asked_for: set[str] = set()
        self._names: list[str] = []
        self._fixtures: list[Any] = []
        self._not_ended: list[Any] = []
        self._processes: set[int] = set()
        # What a fork leaves comes to this process, whatever session of the system it made for itself.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, names: Collection[str]) -> None:
        """Start the servers among the fixtures of these names."""
        self._names = [name for name in _SERVERS if name in names]
        self._session._setupstate.setup(self._session)
        for name in self._names:
            found = self._session._fixturemanager.getfixturedefs
            item = next(item for item in self._session.items if found(name, item))
            item._initrequest()  # as for each test; what it held of an earlier start is over
            with warnings.catch_warnings(action="ignore"):  # it takes a test that has not begun for one that is over
                item._request.getfixturevalue(name)
            self._fixtures += found(name, item)
        self._processes = _children()

    def leave(self) -> None:
        """Have this process, a fork, not end them when its tests are over."""
        every = [fixture._finalizers for fixture in self._fixtures]
        every += [finalizers for finalizers, _ in self._session._setupstate.stack.values()]
        self._not_ended = [list(finalizers) for finalizers in every]  # what they hold complains if it is let go of
        for finalizers in every:
            finalizers.clear()

    def tidy(self, *, whole: bool) -> None:
        """End what a fork has left, and start the servers again if it has ended one, or may have left one in disorder.

        Args:
            whole: Whether the fork came to the end of its last test.
        """
        while left := _children() - self._processes:
            for child in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child, 0)
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) if self._processes else None
        if self._names and (ended or not whole):
            self._session._setupstate.teardown_exact(None)
            self._fixtures.clear()
            self.start(self._names)


def _children() -> set[int]:
    """The processes that this one has, those that have ended and are not waited for among them."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text("ascii").split()}
