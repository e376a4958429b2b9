"""Threads for what blocks, bounded by what it waits for.

An authorization server that hangs holds up a few threads of its own, and nothing else of the application: neither the
page nor the sign-ins of other workspaces, and none of the threads in which the host application runs its routes.
"""

import contextlib
import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from lakekey.web.patience import Patience

#: What else there is to wait for, beside the hosts of authorization servers: the store, the look at it that
#: ``/healthz`` takes, the host application's own callables, and among them the one that knows its schedules.
STORE, HEALTH, CALLABLES, SCHEDULES = "store", "health", "callables", "schedules"
_MOST = {STORE: 16, HEALTH: 2, CALLABLES: 40, SCHEDULES: 16}
#: Requests that may wait for one authorization server at once, in one process.
MOST_OF_A_SERVER = 8
#: Of these, the requests of one user: a user who presses a button repeatedly waits for their own requests only.
MOST_OF_A_USER = 3

_limits: RunVar[dict[str, anyio.CapacityLimiter]] = RunVar("lakekey_web_limits")
T = TypeVar("T")


class Busy(Exception):
    """Too many requests wait for the same; nothing was done."""


class Threads:
    """The threads of a portal. All portals of one event loop share their limits.

    Args:
        patience: How long a request waits for its turn.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    async def run(self, waits_for: str, work: Callable[..., T], *given: Any, **named: Any) -> T:
        """Do something that blocks, in a thread.

        Args:
            waits_for: One of the names above, or the host of an authorization server.
            work: What to do.
            *given: Its arguments.
            **named: Its arguments.

        Raises:
            Busy: There was no turn in time.
        """
        limit, turn = _limit(waits_for, _MOST.get(waits_for, MOST_OF_A_SERVER)), object()
        await self._wait_for_turn(limit, turn, waits_for)
        try:
            call = functools.partial(work, *given, **named)
            return await anyio.to_thread.run_sync(call, limiter=_limit("", math.inf))
        finally:
            limit.release_on_behalf_of(turn)

    async def run_for(self, user: str, waits_for: str, work: Callable[..., T], /, *given: Any, **named: Any) -> T:
        """The same for one user, of whose requests a few are served at once.

        Args:
            user: Whose request it is.
            waits_for: As for `run`, and so on.
            work: What to do.
            *given: Its arguments.
            **named: Its arguments.

        Raises:
            Busy: There was no turn in time.
        """
        name = f"user {user}"  # no name of what is waited for has a space
        limit, turn = _limit(name, MOST_OF_A_USER), object()
        await self._wait_for_turn(limit, turn, waits_for)
        try:
            return await self.run(waits_for, work, *given, **named)
        finally:
            limit.release_on_behalf_of(turn)
            if not limit.borrowed_tokens and _limits.get().get(name) is limit:
                del _limits.get()[name]

    async def _wait_for_turn(self, limit: anyio.CapacityLimiter, turn: object, waits_for: str) -> None:
        with contextlib.suppress(anyio.WouldBlock):
            limit.acquire_on_behalf_of_nowait(turn)
            return
        try:
            with anyio.fail_after(self._patience.turn if waits_for in _MOST else self._patience.turn_at_a_server):
                await limit.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise Busy(waits_for) from None


def _limit(name: str, most: float) -> anyio.CapacityLimiter:
    """The limit of that name in this event loop."""
    try:
        limits = _limits.get()
    except LookupError:
        limits = {}
        _limits.set(limits)
    if name not in limits:
        limits[name] = anyio.CapacityLimiter(most)
    return limits[name]
