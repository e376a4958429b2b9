"""Runs a program of these with short leases and little patience, so that a test need not wait for the real ones.

Usage: ``python -m support.programs.in_a_hurry MODULE ARGUMENTS…``. Nothing else is different.
"""

import runpy
import sys

from lakekey.cache.stores import lease
from lakekey.session import intent

LEASE = 1.5
OUTCOME_AFTER = 4.0

if __name__ == "__main__":
    lease.SECONDS = LEASE  # before a store is imported, which takes it from there
    intent.OUTCOME_AFTER = OUTCOME_AFTER
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(f"support.programs.{module}", run_name="__main__", alter_sys=True)
