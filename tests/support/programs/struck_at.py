"""A process whose main thread is struck by a signal at one point after another of a renewal.

Usage: ``python -m support.programs.struck_at asks|raises FIRST STEP [cold]``. At each line that the main thread executes in `lakekey` or
`threading` while it waits for a header, beginning with the FIRST and then each STEP-th, a signal arrives, whose handler
asks for a header itself or raises. Each round is a renewal of its own. ``cold``: there is one round, the process's first,
with all that it imports.
"""

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import lakekey
from lakekey._imports import LOADING
from support.inside import session_of, source_of
from support.reports import outcome, report

STRUCK = ("/lakekey/", "/threading.py")


class Struck(BaseException):
    """What the handler raises."""


class Strike:
    """A tracer of the main thread that sends one signal, at the n-th line that counts."""

    def __init__(self, point: int) -> None:
        self.left = point

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in STRUCK):
            return None
        if event == "line":
            if self.left == 1 and (LOADING._is_owned() or threading._active_limbo_lock._is_owned()):
                # A tracer can strike where a signal cannot: after the last line of a `with`, before the lock is free.
                return self
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGALRM)
        return self


def expire(provider: lakekey.Provider) -> None:
    """Lets the token end, for the provider and in the cache."""
    session = session_of(provider)
    while True:  # a renewal that was left may store its answer in between
        stored = session.cache.read(session.entry_id)
        now = time.time()
        ended = stored.entry._replace(expires_at=now - 1, issued_at=now - 100, generation=stored.entry.generation + 1)
        if session.cache.put(session.entry_id, ended, replaces=stored.envelope):
            break
    source = source_of(provider)
    source._snapshot, source._fresh = None, (0.0, 0.0, "", 0.0)


def main(how: str, first: int, step: int, *, cold: bool) -> None:
    provider = lakekey.provider()
    asked: set[str] = set()

    def asks(*_: Any) -> None:
        answer = outcome(lambda: bool(provider.headers()))
        asked.add(answer["error"] or "header")

    def raises(*_: Any) -> None:
        raise Struck

    signal.signal(signal.SIGALRM, {"asks": asks, "raises": raises}[how])
    if not cold:
        provider.headers()
    point = first
    struck = failed = 0
    while True:
        if not cold:
            expire(provider)
        strike = Strike(point)
        sys.settrace(strike)
        try:
            provider.headers()
        except Struck:
            pass
        except lakekey.LakekeyError as error:
            failed += 1
            report("failed", point=point, error=str(error))
        finally:
            sys.settrace(None)
        report("beat", point=point)  # it is slow, and under way
        if strike.left > 0:
            break  # the renewal has fewer lines than that
        struck += 1
        point += step
        provider.headers()  # every time, the session is whole afterwards
        if cold:
            break
    report("result", ok=True, struck=struck, failed=failed, asked=sorted(asked))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), cold="cold" in sys.argv)
