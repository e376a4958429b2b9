"""A process whose children each refresh a session and kill themselves at a chosen line of lakekey's code.

It reads numbers from its standard input, a line each, and for each forks a child that asks for a header. When the
thread that does the exchange comes to its so-many-th line, the child reports where it is and is gone, as by a power
cut. A child that gets to its end before reports how many lines there were, and which of them write to the disk.

It has imported everything before, so what a child goes through is the refresh and nothing else.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import filelock
import requests

import lakekey
from lakekey.cache import durable_files
from lakekey.session import assembly
from support.reports import report

LOADED = (filelock, requests, assembly)
SOURCE = str(Path(lakekey.__file__).parent) + os.sep


def refresh(last: int) -> None:
    lines, writing = 0, []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(SOURCE) or threading.current_thread().name != "lakekey-exchange":
            return None
        if event == "line":
            lines += 1
            if frame.f_code.co_filename == durable_files.__file__:
                writing.append(lines)
            if lines == last:
                report("killed")
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    provider = lakekey.provider()
    threading.settrace(trace)
    provider.headers()
    report("ended", lines=lines, writing=writing)


if __name__ == "__main__":
    report("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            refresh(int(line))
            os._exit(0)
        os.waitpid(child, 0)
        report("gone")
