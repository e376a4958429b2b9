"""A limit for all the waits of a connection and of its answer, however many pieces it comes in.

A limit ends a wait; it does not discard. The clock goes on while a process is stopped, and the answer may lie in the
kernel's buffer when it is woken. So what has arrived is read after the limit, too, for a few seconds: a server that
floods has an end as well.
"""

import time

_DRAIN = 5.0  # seconds
_AT_ONCE = 0.001  # seconds; 0 would make a socket one that does not block


class Limit:
    """When to give up.

    Args:
        until: By `time.monotonic`.
        drain: Seconds after the first look behind the limit in which what has arrived is read.
    """

    def __init__(self, until: float, *, drain: float = _DRAIN) -> None:
        self._until = until
        self._drain = drain
        self._drained = 0.0

    @property
    def until(self) -> float:
        """When to give up, by `time.monotonic`; set for each operation."""
        return self._until

    @until.setter
    def until(self, until: float) -> None:
        self._until, self._drained = until, 0.0

    def left(self) -> float:
        """Seconds for the next wait; once the limit has passed, hardly any.

        Raises:
            TimeoutError: Bytes went on coming long after it.
        """
        now = time.monotonic()
        if now < self._until:
            return max(self._until - now, _AT_ONCE)
        self._drained = self._drained or now + self._drain
        if now > self._drained:
            raise TimeoutError("it took too long")
        return _AT_ONCE
