"""Which processes listen on a port, as far as Linux tells this user: its own processes."""

import contextlib
import os
from collections.abc import Iterable

_LISTENING = "0A"


def holders_of(ports: Iterable[int]) -> list[str]:
    """The processes that listen on some ports, such as ``process 4711 (python)``; empty where nothing can be seen."""
    inodes = _listening_inodes(set(ports))
    found = []
    if inodes:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # gone by now, or another user's
                folder = f"/proc/{pid}/fd"
                if any(os.readlink(f"{folder}/{name}") in inodes for name in os.listdir(folder)):
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        found.append(f"process {pid} ({file.read().strip()})")
    return found


def _listening_inodes(ports: set[int]) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            for row in file.read().splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) in ports:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes
