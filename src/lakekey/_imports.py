"""What is imported late is imported whole, or not at all, when the process forks.

Python locks each module while it is imported, and a forked child has these locks but not the threads that would
release them: a child that needs the module waits for ever. So late imports hold `LOADING`, and a fork waits for it.
Nothing but imports may happen under it: whoever waits for another lock there could wait for the forking thread.

`logging` has such a lock, which it takes before a fork as well, and most libraries ask it for a logger as they are
imported. Python asks in the reverse order of registration, so a fork must have registered ours after `logging`'s:
see `libraries`.
"""

import os
from _thread import RLock

LOADING = RLock()  # not `threading`'s, which would be one more module for a warm start
_after_logging = False


def libraries() -> RLock:
    """The same lock, for imports that may ask `logging` for a logger."""
    global _after_logging  # noqa: PLW0603 - once in the life of a process
    if not _after_logging:
        with LOADING:
            import logging  # noqa: F401 - it registers its lock

            _hold_back_forks()
            _after_logging = True
    return LOADING


def _hold_back_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release)


_hold_back_forks()
