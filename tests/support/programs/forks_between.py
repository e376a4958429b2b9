"""A process whose background thread has renewed a token, and then its forked child, whose token is stale in turn."""

import os
import time

import lakekey
from support.reports import report, wait_for_word


def renewed_in_the_background() -> bool:
    """Whether a stale token is replaced while it goes on being served."""
    provider = lakekey.provider()
    stale = provider.headers()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if provider.headers() != stale:
            return True
        time.sleep(0.01)
    return False


if __name__ == "__main__":
    report("parent", renewed=renewed_in_the_background())
    wait_for_word()
    pid = os.fork()
    if pid == 0:
        report("child", renewed=renewed_in_the_background())
        os._exit(0)
    os.waitpid(pid, 0)
