"""The providers that a portal has made, each for one person's connection, for a bounded time and in bounded number."""

import contextlib
from collections import OrderedDict

from lakekey.providers.provider import Provider
from lakekey.web.people import User

#: Seconds after which `Portal.provider` looks at the store again: the longest that a disconnected user is served.
FRESH = 30.0


class ProviderCache:
    """Providers by person and profile; those that were used last are kept.

    Without a lock: a finalizer may ask in the midst of each step, and a forked child has the parent's memory as it is.
    Each step is one operation that the interpreter makes atomic.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = 1024) -> None:
        self.most = most
        self._made: OrderedDict[tuple[str, str, str], tuple[float, Provider]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def find(self, user: User, profile: str, now: float) -> Provider | None:
        """The provider, where the store was looked at a short time ago.

        Args:
            user: Whose connection it uses.
            profile: Which connection.
            now: The time, by `time.monotonic`.
        """
        key = (user.name, user.id, profile)
        looked_at, found = self._made.get(key, (0.0, None))
        if found is None or now - looked_at >= FRESH:
            return None
        with contextlib.suppress(KeyError):  # it was dropped this moment
            self._made.move_to_end(key)
        return found

    def keep(self, user: User, profile: str, looked_at: float, provider: Provider) -> None:
        """Keep a provider that was made from what the store had at that time."""
        self._made[user.name, user.id, profile] = looked_at, provider
        while len(self._made) > self.most:
            with contextlib.suppress(KeyError):
                self._made.popitem(last=False)

    def clear(self) -> None:
        """Drop all of them."""
        self._made.clear()

    def drop(self, user: User, profile: str) -> None:
        """Drop the provider of one person."""
        self._made.pop((user.name, user.id, profile), None)

    def forget(self, name: str, profile: str) -> None:
        """Drop those of all who have had a name."""
        for key in list(self._made):
            if key[0] == name and key[2] == profile:
                self._made.pop(key, None)
