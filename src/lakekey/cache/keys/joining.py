"""Waits for something that may never answer: as long as a variable says, and only until Ctrl-C.

On Windows, a longer wait for a lock is deaf to Ctrl-C.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey.errors import ConfigurationError

if TYPE_CHECKING:
    import threading

_SLICE = 0.25  # seconds


def join(thread: "threading.Thread", limit: float) -> None:
    """Wait until a thread ends, but not longer than the limit (seconds)."""
    deadline = time.monotonic() + limit
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(left, _SLICE))


def time_limit(environ: Mapping[str, str], variable: str, usual: float) -> float:
    """How long something may take, in seconds.

    Args:
        environ: The environment.
        variable: Says so.
        usual: Where it is not set.

    Raises:
        ConfigurationError: It is not a number of seconds.
    """
    text = environ.get(variable, "").strip()
    try:
        limit = float(text) if text else usual
    except ValueError:
        limit = -1.0
    if not 0 < limit <= 3600:
        raise ConfigurationError(f"{variable}={text!r} is not a number of seconds", hint=f"set {variable} to {usual:g}")
    return limit
