"""A process that stands still right after it has written its intent: one call holds the interpreter for seconds.

Usage: ``python -m support.programs.stalls SECONDS``. No other thread of it runs meanwhile, so no lease is renewed.
"""

import ctypes
import sys
from typing import Any

import lakekey
from lakekey.session.spending import Spending
from support.reports import outcome, report


def main(seconds: int) -> None:
    declare = Spending.declare
    stalled = []

    def stalling(*arguments: Any) -> Any:
        declared = declare(*arguments)
        if not stalled:
            stalled.append(True)
            report("stalls")
            ctypes.PyDLL(None).sleep(seconds)  # keeps the interpreter's lock, as a long computation in C does
        return declared

    Spending.declare = stalling
    provider = lakekey.provider()
    report("result", **outcome(lambda: bool(provider.headers())))


if __name__ == "__main__":
    main(int(sys.argv[1]))
