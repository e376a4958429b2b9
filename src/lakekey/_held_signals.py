"""Holding the program's signal handlers back in the main thread, for as long as an answer is on its way.

Needed only where the main thread itself makes the exchange, because no other thread can start: a handler that raises
would cut it off after a single-use token was spent.

A handler may raise at any step of this as well. So one assignment ends the holding: from then on what stands in for the
handlers calls them, whether they are put back or not.
"""

import signal
from types import FrameType
from typing import Any


class HeldSignals:
    """The handlers that Python calls, replaced by one that remembers while they are held, and else calls them."""

    def __init__(self) -> None:
        self._own: dict[int, Any] = {}  # for good: a handler that ran meanwhile may call what it found in their place
        self._handlers: dict[int, Any] = {}  # those to be put back
        self._came: dict[int, FrameType | None] = {}
        self._holds = False

    def hold(self) -> None:
        """Replace the handlers. A signal that arrives in the midst of it takes effect, and nothing is held."""
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self._own[number] = self._handlers[number] = handler
                    signal.signal(number, self._arrive)
            self._holds = True
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Have the handlers called for what came, and put them back.

        Raises:
            BaseException: What the last of them raises.
        """
        try:
            self._holds = False
            self._settle()
        finally:
            if self._came or self._handlers:  # it was interrupted between two of its steps
                self._settle()

    def _settle(self) -> None:
        raised: BaseException | None = None
        while self._came or self._handlers:
            try:
                while self._came:
                    number, frame = next(iter(self._came.items()))
                    del self._came[number]  # right before its handler runs: what interrupts sooner takes none away
                    self._own[number](number, frame)
                while self._handlers:
                    number = next(iter(self._handlers))
                    if signal.getsignal(number) == self._arrive:  # else a handler that ran has replaced it
                        signal.signal(number, self._handlers[number])
                    del self._handlers[number]
            except BaseException as error:  # noqa: BLE001 - raised when all are back
                # The milder of two does not hide the other: a Ctrl-C gives way to a SIGTERM.
                raised = raised if isinstance(error, KeyboardInterrupt) and raised is not None else error
        if raised is not None:
            raise raised

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        if self._holds:
            self._came.setdefault(number, frame)
        else:
            self._own[number](number, frame)
