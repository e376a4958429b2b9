"""Holding the program's signal handlers back in the main thread, for as long as an answer is on its way.

Needed only where the main thread itself makes the exchange, because no other thread can start: a handler that raises
would cut it off after a single-use token was spent.
"""

import signal
from typing import Any


class HeldSignals:
    """The handlers that Python calls, replaced by one that remembers; each runs after all on release."""

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._came: list[int] = []

    def hold(self) -> None:
        """Replace the handlers. A signal that arrives in the midst of it takes effect, and nothing is held."""
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._remember)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Put the handlers back, and have them called for what came.

        Raises:
            BaseException: What the last of them raises.
        """
        raised: BaseException | None = None
        while self._handlers or self._came:
            try:
                while self._handlers:
                    number = next(iter(self._handlers))
                    signal.signal(number, self._handlers[number])
                    del self._handlers[number]
                while self._came:
                    signal.raise_signal(self._came.pop(0))
            except BaseException as error:  # noqa: BLE001 - raised when all are back
                # The milder of two does not hide the other: a Ctrl-C gives way to a SIGTERM.
                raised = raised if isinstance(error, KeyboardInterrupt) and raised is not None else error
        if raised is not None:
            raise raised

    def _remember(self, number: int, _: Any) -> None:
        if number not in self._came:
            self._came.append(number)
