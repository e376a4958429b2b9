"""What both demos stand on: numbered steps, and an environment of their own."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import TextIO

_PROGRESS = 5.0  # seconds between two lines of progress where there is no terminal


class Narrator:
    """Numbers the steps and says what came of them."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._step = 0
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Begin a step."""
        self._step += 1
        print(f"\n{self._step}. {text}", file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Say something of the step."""
        print(f"   {text}", file=self._out, flush=True)

    def wait(self, seconds: float, what: str) -> None:
        """Waits, and counts down: in one line on a terminal, else in a line every few seconds."""
        ends = time.monotonic() + seconds
        in_place = self._out.isatty()
        while (left := ends - time.monotonic()) > 0:
            if in_place:
                print(f"\r   {left:3.0f} s until {what} ", end="", file=self._out, flush=True)
            else:
                self.say(f"{left:.0f} s until {what}")
            time.sleep(min(left, 1.0 if in_place else _PROGRESS))
        if in_place:
            print("\r\033[K", end="", file=self._out, flush=True)

    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Has these variables for as long as the block runs, and none of the user's own that we read."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "LAKEKEY_")):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
