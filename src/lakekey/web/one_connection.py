"""Several questions to the store on one connection, which is given up before anything else is waited for."""

import contextlib
import threading
import time
from typing import Self

from lakekey.cache.cache import Cache


class _Entered(threading.local):
    """The contexts that a thread is in, the outermost first."""

    def __init__(self) -> None:
        self.contexts: list[OneConnection] = []


class OneConnection:
    """A context in which a store that hosts share is asked on one connection; a connection costs more than a question.

    What is done in the context says when it is about to wait for something else, such as a token endpoint or another
    process's lease: many clients share a server of few connections, and none is held open meanwhile.

    Args:
        cache: The cache in the store.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._held = contextlib.ExitStack()
        self._holds = False

    def __enter__(self) -> Self:
        _entered.contexts.append(self)
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        _entered.contexts.remove(self)
        self.give_up()

    @property
    def holds(self) -> bool:
        """Whether the connection of the next question is kept."""
        return self._holds

    def hold(self) -> None:
        """Keep the connection of the next question for those that follow."""
        if not self._holds:
            self._held.enter_context(self._cache.together())
            self._holds = True

    def give_up(self) -> None:
        """Close it; what is asked now has one of its own."""
        self._holds = False
        self._held.close()


_entered = _Entered()


def pause(seconds: float) -> None:
    """Sleep, while no context that this thread is in keeps a connection; each that kept one then does so again."""
    kept = [context for context in _entered.contexts if context.holds]
    for context in kept:
        context.give_up()
    time.sleep(seconds)
    for context in kept:
        context.hold()
