"""A process that signs a person in, and reports where it listens: while the browser is open, and afterwards.

Usage: ``python -m support.programs.shows_ports PIPE``: a named pipe that the browser writes to, and then waits to read from.
"""

import os
import socket
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path

import lakekey
from support.reports import outcome, report


def open_ports() -> list[tuple[str, int]]:
    """The addresses that this process listens at."""
    listening = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue  # a copy of the pipe of a program that starts just now would keep its starter waiting
            with socket.socket(fileno=os.dup(int(name))) as copy:
                if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and copy.family != socket.AF_UNIX:
                    listening.append(copy.getsockname()[:2])
    return listening


if __name__ == "__main__":
    provider = lakekey.provider()
    waiting = threading.Thread(target=provider.headers)
    waiting.start()
    pipe = Path(sys.argv[1])
    pipe.read_bytes()  # returns when the browser has opened
    report("open", ports=open_ports())
    pipe.write_bytes(b".")  # and now the person signs in
    waiting.join()
    report("closed", ports=open_ports())
    report("result", **outcome(lambda: bool(provider.headers())))
