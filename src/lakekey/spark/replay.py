"""The requests of an upload, kept so that they can be sent once more under another token."""

import threading
from collections.abc import Iterator
from typing import Any

_REPLAYED = 8 << 20  # bytes
_READ_PATIENCE = 1.0  # seconds


class Replay:
    """The requests of an upload, kept while they are few, so that they can be sent once more.

    gRPC reads them in a thread of its own, which may still be at it when the call has already failed.

    Args:
        requests: The requests.
    """

    def __init__(self, requests: Iterator[Any]) -> None:
        self._requests = iter(requests)
        self._guard = threading.Lock()
        self._kept: list[Any] | None = []
        self._size = 0
        self._readers = 0
        self._broken: BaseException | None = None

    def begin(self) -> Iterator[Any] | None:
        """The requests from the first one on; ``None`` where they were too many to keep, or the next one is awaited.

        A reader of an earlier call finds their end.
        """
        if not self._guard.acquire(timeout=_READ_PATIENCE):
            return None  # gRPC's thread waits for the program's next request, for as long as the program likes
        try:
            if self._kept is None:
                return None
            self._readers += 1
            return self._read(self._readers, list(self._kept))
        finally:
            self._guard.release()

    def _read(self, reader: int, kept: list[Any]) -> Iterator[Any]:
        yield from kept
        while True:
            with self._guard:
                if reader != self._readers:
                    return
                if self._broken is not None:
                    raise self._broken  # another reader has met it: the requests would look complete
                try:
                    request = next(self._requests)
                except StopIteration:
                    return
                except BaseException as error:
                    self._broken = error
                    raise
                self._keep(request)
            yield request

    def _keep(self, request: Any) -> None:
        self._size += request.ByteSize()
        if self._kept is not None and self._size <= _REPLAYED:
            self._kept.append(request)
        else:
            self._kept = None
