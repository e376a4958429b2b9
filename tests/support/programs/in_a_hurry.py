"""Runs a program of these with short leases and little patience, so that a test need not wait for the real ones.

Usage: ``python -m support.programs.in_a_hurry MODULE ARGUMENTS…``. ``OUTCOME_AFTER`` is how long it waits for the outcome
of an intent, in seconds: short where its holder is dead, long where it is to be waited for. ``ON_A_NETWORK`` lets the
file system of the cache count as a network's. Nothing else is different.
"""

import os
import runpy
import sys
from pathlib import Path

from lakekey.cache.stores import lease, network_files
from lakekey.session import intent

LEASE = 1.5

if __name__ == "__main__":
    lease.SECONDS = LEASE  # before a store is imported, which takes it from there
    intent.OUTCOME_AFTER = float(os.environ.get("OUTCOME_AFTER", "2.5"))
    if "ON_A_NETWORK" in os.environ:
        mounts = Path("/proc/self/mountinfo").read_text()
        network_files.KINDS = {network_files.kind_of(os.environ["LAKEKEY_CACHE_DIR"], mounts)}
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(f"support.programs.{module}", run_name="__main__", alter_sys=True)
