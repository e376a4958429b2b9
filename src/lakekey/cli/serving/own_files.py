"""Files of the service that other programs trust: its address, its program, the unit that starts it.

A user who can change one of them leads the user's programs to another server, or runs a program as the user. So each is
looked at, with the way to it, before it is written or recommended.
"""

import os
import stat
import sys

from lakekey.cache import durable_files, private_files, safe_path
from lakekey.errors import CacheWriteFailed, ConfigurationError, UnsafeCache


def write_address(path: str, url: str) -> None:
    """Write the service's address into a file, readable for this user only.

    Raises:
        UnsafeCache: Another user could put another address there.
        CacheWriteFailed: It cannot be written.
    """
    path = os.path.abspath(path)
    hint = "name a file in a directory of your own with --url-file"
    try:
        if trouble := trouble_with(path):
            raise UnsafeCache(f"{trouble}, so that user could give your programs a false address", hint=hint)
        durable_files.replace(path, f"{url}\n".encode())
    except OSError as error:
        raise CacheWriteFailed(f"cannot write {path}: {error.strerror}", hint=hint) from None


def remove_address(path: str, url: str) -> None:
    """Remove the file again, unless another service has written its own address there meanwhile."""
    path = os.path.abspath(path)
    try:
        if private_files.read(path).strip() == url.encode():
            durable_files.remove(path)
    except (OSError, UnsafeCache):
        return  # it is gone, or not ours any more


def require_systemd(command: str, when: str) -> None:
    """Refuse to print a unit on Windows, which has no systemd.

    Args:
        command: The command that the unit would start.
        when: When a scheduled task is to start it: options of ``schtasks /create``.

    Raises:
        ConfigurationError: This is Windows.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            "systemd units do not work on Windows",
            hint=f"start {command} by a task of Windows: schtasks /create {when}",
        )


def check_unit(program: str) -> None:
    """Look at what systemd is to run at each login, and at the file that standard output goes to.

    Args:
        program: The program.

    Raises:
        UnsafeCache: Another user can change one of them.
    """
    if trouble := trouble_with(program, roots=True):
        raise UnsafeCache(
            f"{trouble}, and systemd would run it as you", hint="install lakekey where only you and root can write"
        )
    try:
        status = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return
    if stat.S_ISREG(status.st_mode) and not safe_path.is_ours_alone(status):
        raise UnsafeCache(
            "the file that the unit is written to can be changed by another user, and systemd would trust it",
            hint="umask 022, remove the file, and try again",
        )


def trouble_with(path: str, *, roots: bool = False) -> str | None:
    """Why another user could change a file, or put another one in its place; ``None`` if that is not so.

    Args:
        path: An absolute path; nothing has to be there yet.
        roots: Whether it may belong to root.

    Raises:
        OSError: It cannot be reached.
    """
    try:
        real = safe_path.resolve_file(path)
    except UnsafeCache:
        return f"the way to {path} can be changed by another user"
    try:
        status = os.lstat(real)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is not a regular file"
    if not (safe_path.is_ours_alone(status) or (roots and status.st_uid == 0 and not status.st_mode & 0o022)):
        return f"{path} can be changed by another user"
    return None
