"""A store's side of leases that notes what it is asked, and clocks that go on as they are told to."""

import threading

from lakekey.cache.stores.lease import holder_here
from lakekey.errors import CacheError

_LONG = 30.0


class Keeper:
    """A store's side of leases.

    Attributes:
        held: The nonce of each lease.
        calls: What was asked, in order.
        trouble: What a renewal or a release raises.
        ours: What a renewal finds.
    """

    def __init__(self, clock: "Clocks | None" = None, slow: float = 0.0) -> None:
        self.held: dict[str, bytes] = {}
        self.calls: list[tuple[str, bytes]] = []
        self.trouble: CacheError | None = None
        self.ours = True
        self.called = threading.Condition()
        self._clock, self._slow = clock, slow

    def _call(self, verb: str, nonce: bytes) -> None:
        with self.called:
            self.calls.append((verb, nonce))
            self.called.notify_all()

    def wait_for(self, verb: str, times: int) -> None:
        """Wait until something was asked so often."""
        with self.called:
            done = self.called.wait_for(lambda: sum(call[0] == verb for call in self.calls) >= times, _LONG)
        assert done, f"no {verb} came"

    def take(self, name: str, nonce: bytes, holder: str, seconds: float, *, instead_of: bytes = b"") -> bytes:
        """See `LeaseKeeper.take`."""
        self._call("take", instead_of)
        assert (holder, seconds > 0) == (holder_here(), True)
        if self._clock is not None:
            self._clock.goes_on(self._slow)
        if self.held.get(name) in (None, nonce, instead_of):
            self.held[name] = nonce
        return self.held[name]

    def renew(self, name: str, nonce: bytes, seconds: float) -> bool:
        """See `LeaseKeeper.renew`."""
        self._call("renew", nonce)
        if self.trouble is not None:
            raise self.trouble
        return self.ours and self.held.get(name) == nonce

    def release(self, name: str, nonce: bytes) -> None:
        """See `LeaseKeeper.release`."""
        self._call("release", nonce)
        if self.trouble is not None:
            raise self.trouble
        if self.held.get(name) == nonce:
            del self.held[name]

    def holder(self, name: str) -> str | None:
        """See `LeaseKeeper.holder`."""
        if self.trouble is not None:
            raise self.trouble
        return "another host" if name in self.held else None


class Clocks:
    """The monotonic clock and the wall clock, which go on as they are told to."""

    def __init__(self) -> None:
        self.seconds, self.wall = 1000.0, 1_800_000_000.0

    def goes_on(self, seconds: float, *, only_wall: bool = False) -> None:
        """Let time pass; by the wall clock alone while the machine sleeps."""
        self.wall += seconds
        self.seconds += 0.0 if only_wall else seconds

    def monotonic(self) -> float:
        """See `time.monotonic`."""
        return self.seconds

    def time(self) -> float:
        """See `time.time`."""
        return self.wall
