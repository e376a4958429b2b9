"""A program that is interrupted over and over, at any moment, and goes on each time, as a notebook does.

In each round the access token has expired, so that it takes an exchange; a timer interrupts some of them, from the first
instruction to after the last.
"""

import random
import signal
import time

import lakekey
from support.programs.struck_at import expire
from support.reports import outcome, report

ROUNDS = 300
SECONDS = 4.0
ENOUGH = 51  # interrupts, however long they take on a machine that is busy


def main() -> None:
    provider = lakekey.provider()
    provider.headers()
    interrupts, longest = 0, 0.001
    end = time.monotonic() + SECONDS
    for _ in range(ROUNDS):
        if time.monotonic() > end and interrupts >= ENOUGH:
            break
        expire(provider)
        began = time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, longest))
            provider.headers()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupts += 1
        # A little beyond the longest undisturbed round, so that the whole of it is struck.
        longest = max(longest, min(0.05, 1.2 * (time.monotonic() - began)))
    signal.setitimer(signal.ITIMER_REAL, 0)
    expire(provider)
    ended = outcome(lambda: bool(provider.headers()))
    report("result", interrupts=interrupts, **ended)


if __name__ == "__main__":
    # A timer strikes the main thread as Ctrl-C does, but at the moment that we choose.
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    main()
