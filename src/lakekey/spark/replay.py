"""The requests of an upload, kept so that they can be sent once more under another token."""

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_REPLAYED = 8 << 20  # bytes
_READ_PATIENCE = 1.0  # seconds


class Replay:
    """The requests of an upload, kept while they are few, so that they can be sent once more.

    gRPC reads them in a thread of its own, which may still be at it when the call has already failed. After an error of
    the program's iterator, no reader asks it again: each gets that error, as most iterators have ended by then.

    Args:
        requests: The requests.
    """

    def __init__(self, requests: Iterator[Any]) -> None:
        self._requests = iter(requests)
        self._guard = threading.Lock()
        self._kept: list[Any] | None = []
        self._size = 0
        self._readers = 0
        self._broken: Exception | None = None  # what the program's iterator raised
        self._traceback: TracebackType | None = None  # which each raise would add to

    def begin(self) -> Iterator[Any] | None:
        """The requests from the first one on; ``None`` if they were too many to keep, or the next one is awaited.

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
                    # Another reader has met it: without it, the requests would look complete.
                    raise self._broken.with_traceback(self._traceback)
                try:
                    request = next(self._requests)
                except StopIteration:
                    return
                except Exception as error:
                    self._broken, self._traceback = error, error.__traceback__
                    raise
                except BaseException:  # a Ctrl-C is for the one that it has interrupted
                    self._broken = RuntimeError("the upload was cut short: its program was interrupted")
                    raise
                self._keep(request)
            yield request

    def _keep(self, request: Any) -> None:
        self._size += request.ByteSize()
        if self._kept is not None and self._size <= _REPLAYED:
            self._kept.append(request)
        else:
            self._kept = None
