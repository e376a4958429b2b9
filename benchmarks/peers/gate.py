"""A peer's process: it makes ready, waits for a word, asks, and reports how that went."""

import json
import os
import sys
import time
from collections.abc import Callable


def told(ask: Callable[[], object]) -> None:
    """Asks once: after a word where ``told`` is among the arguments, else at once and without a report."""
    if "told" not in sys.argv:
        if not ask():
            sys.exit(1)
        return
    os.write(1, b'{"event": "ready"}\n')
    os.read(0, 1)
    began = time.monotonic()
    try:
        ok, error = bool(ask()), ""
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is the outcome
        ok, error = False, type(problem).__name__
    result = {"event": "result", "ok": ok, "error": error, "seconds": time.monotonic() - began}
    os.write(1, json.dumps(result).encode() + b"\n")


def session() -> dict[str, str]:
    """The tokens to begin with, and where they are from."""
    tokens: dict[str, str] = json.loads(os.environ["BENCH_SESSION"])
    return tokens
