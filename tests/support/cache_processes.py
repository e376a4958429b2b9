"""Child processes that work on a token cache, for tests of what they do to each other."""

import os
import subprocess
import sys
from pathlib import Path

from support.pace import SLOWER

_PRELUDE = """
import contextlib, os, sys, time
from lakekey.cache.entry import Entry; from lakekey.cache.opening import open_cache
from lakekey.cache.entry import entry_id
from lakekey.errors import *

def say(text):
    print(text, flush=True)

def told():
    # An event that is set when the test says something.
    import threading
    event = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), event.set()), daemon=True).start()
    return event

@contextlib.contextmanager
def locked(cache, name):
    while True:
        with cache.lock(name) as held:
            if held:
                yield
                return
        time.sleep(0.001)
"""
#: Rotates the key of its cache, and kills itself before or after some call of a function. Arguments: the function's
#: module, its name there, ``before`` or ``after``, which of its calls, and where to move the key, or nothing.
ROTATES_UNTIL_KILLED = """
import importlib, os, sys
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
module, path, when, nth = sys.argv[1], sys.argv[2].split("."), sys.argv[3], int(sys.argv[4])
place = importlib.import_module(module)
for step in path[:-1]:
    place = getattr(place, step)
original, calls = getattr(place, path[-1]), []
def killed(*arguments, **options):
    calls.append(1)
    if len(calls) == nth and when == "before":
        os.kill(os.getpid(), 9)
    result = original(*arguments, **options)
    if len(calls) == nth:
        os.kill(os.getpid(), 9)
    return result
setattr(place, path[-1], killed)
rotate(open_cache(moving=True), to="".join(sys.argv[5:]) or None)
"""

_NEEDED = ("PATH", "SYSTEMROOT", "TEMP", "USERPROFILE")  # Windows' Python starts with no less
PATIENCE = 60 * SLOWER  # seconds
#: What a process that kills itself exits with.
KILLED_ITSELF = -9 if os.name == "posix" else 9


def start(
    directory: Path, code: str, *arguments: str, prefix: tuple[str, ...] = (), **environ: str
) -> subprocess.Popen:
    """Starts a child on a cache directory; its standard input and output are pipes of text."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", _PRELUDE + code, *arguments],
        env={
            **{name: os.environ[name] for name in _NEEDED if name in os.environ},
            "HOME": str(directory), "LAKEKEY_CACHE_DIR": str(directory), "LAKEKEY_KEY_SOURCE": "file", **environ,
        },
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(directory: Path, code: str, *arguments: str, **options) -> str:
    """Runs a child to its end. Returns what it said, with what it complained about at the end."""
    child = start(directory, code, *arguments, **options)
    said, complained = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, complained
    return said + complained
