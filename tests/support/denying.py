"""A store that says no and gives no error, and a clock by which it is waited for at once."""

import itertools
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lakekey.cache import refusals
from lakekey.cache.stores.store import Note
from support.memory_stores import Shared
from support.model import Clock


class Denying(Shared):
    """A store that says no to some writes and removals, and shows what was there before.

    Attributes:
        noes: To how many of those that come.
        shared: Whether hosts share it.
    """

    def __init__(self, *, shared: bool = False) -> None:
        super().__init__()
        self.shared = self.spans_machines = shared
        self.noes = 0
        self._asked = itertools.count(1)

    def deny(self, noes: int = 10_000) -> None:
        """Say no from now on, so many times."""
        self.noes = noes
        self._asked = itertools.count(1)

    def _denies(self) -> bool:
        asked = next(self._asked)
        assert asked <= 2_000, "it is asked without end"
        return asked <= self.noes

    def put(self, entry_id: str, envelope: bytes, **options: Any) -> bool:
        """See `SharedStore.put`."""
        return not self._denies() and super().put(entry_id, envelope, **options)

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""
        return not self._denies() and super().delete(entry_id, replaces=replaces)

    def swap_page(self, swaps: Sequence[tuple[str, bytes, bytes]], *, under: Note | None = None) -> set[str]:
        """See `SharedStore.swap_page`."""
        return set() if self._denies() else super().swap_page(swaps, under=under)


def hurried(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Clock:
    """Have a refused change, and modules that pause for it, go by a clock that moves only with their pauses."""
    clock = Clock()
    mine = SimpleNamespace(time=clock.time, monotonic=clock.monotonic, sleep=clock.sleep)
    for module in (refusals, *modules):
        monkeypatch.setattr(module, "time", mine)
    return clock
