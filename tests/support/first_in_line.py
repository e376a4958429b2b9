"""Another process of this host that is first in line."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FIRST = """
import os, sys
from lakekey.cache.stores.lock_line import LockLine
with LockLine(sys.argv[1]).is_first() as first:
    print(first, flush=True)
    os.read(0, 1)
"""


@contextmanager
def sibling(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which is first in line until it is told to go on."""
    with subprocess.Popen(
        [sys.executable, "-c", FIRST, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"True"
        try:
            yield process
        finally:
            process.kill()
