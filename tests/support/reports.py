"""How a child process tells its test what happens: one JSON object on a line."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

#: The variable by which a test tells its child where to hear of signals.
STRIKES = "TESTS_STRIKES"

if STRIKES in os.environ:  # Windows alone; no other child loads what listening needs, which some tests look for
    from support import strikes

    strikes.listen()


def report(event: str, **facts: Any) -> None:
    """Writes a report. One system call: neither a signal nor another thread can tear it."""
    os.write(1, json.dumps({"event": event, **facts}).encode() + b"\n")


def outcome(work: Callable[[], Any]) -> dict[str, Any]:
    """Does the work; how it went, in facts that can be reported. Interrupts pass."""
    began = time.monotonic()
    try:
        value = work()
    except Exception as error:
        return {
            "ok": False, "error": type(error).__name__, "message": str(error),
            "seconds": time.monotonic() - began,
        }  # fmt: skip
    return {"ok": True, "error": None, "value": value, "seconds": time.monotonic() - began}


def wait_for_word() -> None:
    """Blocks until the test lets this process go on."""
    os.read(0, 1)
