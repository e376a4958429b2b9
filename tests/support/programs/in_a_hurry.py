"""Runs a program of these with short leases and little patience, so that a test need not wait for the real ones.

Usage: ``python -m support.programs.in_a_hurry MODULE ARGUMENTS…``. ``OUTCOME_AFTER`` is how long it waits for the outcome
of an intent, in seconds: short where its holder is dead, long where it is to be waited for. Nothing else is different.
"""

import os
import runpy
import sys

from lakekey.cache.stores import lease
from lakekey.session import intent

LEASE = 1.5

if __name__ == "__main__":
    lease.SECONDS = LEASE  # before a store is imported, which takes it from there
    intent.OUTCOME_AFTER = float(os.environ.get("OUTCOME_AFTER", "2.5"))
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(f"support.programs.{module}", run_name="__main__", alter_sys=True)
