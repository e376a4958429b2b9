"""Several questions to the store on one connection, which is given up before anything else is waited for."""

import contextlib
import time
from typing import Self

from lakekey.cache.cache import Cache


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
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()

    def hold(self) -> None:
        """Keep the connection of the next question for those that follow."""
        if not self._holds:
            self._held.enter_context(self._cache.together())
            self._holds = True

    def give_up(self) -> None:
        """Close it; what is asked now has one of its own."""
        self._holds = False
        self._held.close()

    def pause(self, seconds: float) -> None:
        """Sleep without it, and keep the next one if one was kept."""
        holds = self._holds
        self.give_up()
        time.sleep(seconds)
        if holds:
            self.hold()
