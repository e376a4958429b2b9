"""Commands as hints name them: what a person types to look at, move or free something, and a profile in ours."""

import shlex
import sys


def quoted(path: str) -> str:
    """A path as one word of a command: the cache of macOS lies below ``Application Support``."""
    return f'"{path}"' if _windows() else shlex.quote(path)


def word(text: str) -> str:
    """A text as one word of a command, without quotes where it needs none."""
    return text if shlex.quote(text) == text else quoted(text)


def in_powershell(text: str) -> str:
    """A text in quotes of PowerShell, for which typographic single quotes end it as well. Doubled, each is itself."""
    return "'" + "".join(each * 2 if each in "'\u2018\u2019\u201a\u201b" else each for each in text) + "'"


def profile(name: str) -> str:
    """A profile as a word of our own commands; one that looks like an option stands behind its own."""
    return word(f"--profile={name}" if name.startswith("-") else name)


def look_at(path: str) -> str:
    """Shows whose a file or directory is, and who may do what with it."""
    return f"{'icacls' if _windows() else 'ls -ld'} {quoted(path)}"


def move_away(path: str) -> str:
    """Gives a file or directory another name."""
    return f"{'move' if _windows() else 'mv'} {quoted(path)} {quoted(f'{path}.old')}"


def remove(path: str) -> str:
    """Removes a file."""
    return f"{'del' if _windows() else 'rm'} {quoted(path)}"


def free_space(directory: str) -> str:
    """Shows how much room is left on a disk."""
    return f"{'dir' if _windows() else 'df -h'} {quoted(directory)}"


def check_store(*, shared: bool) -> str:
    """Looks at a store of ours: one that hosts share, or this machine's."""
    return f"lakekey {'store check' if shared else 'doctor'}"


def listeners(first: int, last: int) -> str:
    """Shows which processes listen on a range of ports."""
    if _windows():
        return f"powershell Get-NetTCPConnection -State Listen -LocalPort ({first}..{last})"
    if sys.platform == "darwin":
        return f"lsof -nP -iTCP:{first}-{last} -sTCP:LISTEN"
    return f"ss -ltnp 'sport >= :{first} and sport <= :{last}'"


def _windows() -> bool:
    return sys.platform == "win32"
