"""What is imported late is imported whole, or not at all, when the process forks.

Python locks each module while it is imported, and a forked child has these locks but not the threads that would
release them: a child that needs the module waits for ever. So late imports hold `LOADING`, and a fork waits for it.
Nothing but imports may happen under it: whoever waits for another lock there could wait for the forking thread.
"""

import os
from _thread import RLock

LOADING = RLock()  # not `threading`'s, which would be one more module for a warm start

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release)
