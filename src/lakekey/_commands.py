"""Commands of the operating system, as hints name them: what a person types to look at, move or free something."""

import sys


def look_at(path: str) -> str:
    """Shows whose a file or directory is, and who may do what with it."""
    return f'icacls "{path}"' if _windows() else f"ls -ld {path}"


def move_away(path: str) -> str:
    """Gives a file or directory another name."""
    return f'move "{path}" "{path}.old"' if _windows() else f"mv {path} {path}.old"


def room_of(directory: str) -> str:
    """Shows how much room is left on a disk."""
    return f'dir "{directory}"' if _windows() else f"df -h {directory}"


def listeners(first: int, last: int) -> str:
    """Shows which processes listen on a range of ports."""
    if _windows():
        return f"powershell Get-NetTCPConnection -State Listen -LocalPort ({first}..{last})"
    if sys.platform == "darwin":
        return f"lsof -nP -iTCP:{first}-{last} -sTCP:LISTEN"
    return f"ss -ltnp 'sport >= :{first} and sport <= :{last}'"


def _windows() -> bool:
    return sys.platform == "win32"
