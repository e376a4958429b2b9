"""The providers that a portal has made, each for one person's connection, for a bounded time and in bounded number."""

import threading
from collections import OrderedDict

from lakekey.providers.provider import Provider
from lakekey.web.people import User

#: Seconds after which `Portal.provider` looks at the store again: the longest that a disconnected user is served.
FRESH = 30.0
_MOST = 1024


class ProviderCache:
    """Providers by person and profile; those that were used last are kept."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, str, str], tuple[float, Provider]] = OrderedDict()
        self._lock = threading.Lock()

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
        with self._lock:
            looked_at, found = self._made.get(key, (0.0, None))
            if found is None or now - looked_at >= FRESH:
                return None
            self._made.move_to_end(key)
            return found

    def keep(self, user: User, profile: str, looked_at: float, provider: Provider) -> None:
        """Keep a provider that was made from what the store had at that time."""
        with self._lock:
            self._made[user.name, user.id, profile] = looked_at, provider
            while len(self._made) > _MOST:
                self._made.popitem(last=False)

    def clear(self) -> None:
        """Drop all of them."""
        with self._lock:
            self._made.clear()

    def drop(self, user: User, profile: str) -> None:
        """Drop the provider of one person."""
        with self._lock:
            self._made.pop((user.name, user.id, profile), None)

    def forget(self, name: str, profile: str) -> None:
        """Drop those of all who have had a name."""
        with self._lock:
            for key in [key for key in self._made if key[0] == name and key[2] == profile]:
                del self._made[key]
