"""A process that asks for a header while its interpreter exits.

Usage: ``python -m support.programs.asks_at_exit WHEN [threadless]``. WHEN is ``atexit``: by a function that is called at exit,
``survivor``: by a thread that goes on when the main thread has ended,
or ``finalizer``: by a finalizer that the garbage collector runs as the very last. With ``threadless``, no thread can be started
from the end of the main thread on, as it is in Python 3.12.0 and 3.12.1, whichever Python this is.
"""

import _thread
import atexit
import gc
import sys
import threading
from typing import Any

import lakekey
from support.reports import outcome, report


def refuse_to_start(*_: Any) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


def main(when: str, threadless: bool) -> None:
    provider = lakekey.provider()

    def ask() -> None:
        if threadless:
            threading.Thread.start = _thread.start_new_thread = refuse_to_start
        # Twice: what the cache has may be stale, which the second one sees.
        report("result", **outcome(lambda: bool(provider.headers() and provider.headers())))

    def survive() -> None:
        threading.main_thread().join()
        ask()

    class Abandoned:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            ask()

    if when == "finalizer":
        provider.identity()  # what reads the cache is loaded
        gc.disable()
        Abandoned()
    elif when == "atexit":
        atexit.register(ask)
    else:
        threading.Thread(target=survive).start()


if __name__ == "__main__":
    main(sys.argv[1], "threadless" in sys.argv)
