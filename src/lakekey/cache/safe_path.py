"""Whether only we and root can change the way to a file, as OpenSSH's StrictModes checks it.

A private file in a private directory is still lost if another user can rename a directory above it, or owns a link
on the way. So every step from the root down must belong to root or to us, and may be writable by others only where
the sticky bit keeps them from renaming what is not theirs (``/tmp``). Links are followed if they pass the same test:
``/home`` and ``/var`` are links on many machines.
"""

from __future__ import annotations

import os
import stat

from lakekey._imports import LOADING, commands, expanded
from lakekey.errors import UnsafeCache

_POSIX = os.name == "posix"
ANOTHER_PLACE = "set LAKEKEY_CACHE_DIR to a directory of your own, or LAKEKEY_STORE=memory: to keep nothing"
_MOST_LINKS = 40  # as many as the kernel follows


def check_parents(path: str) -> None:
    """Check every directory above a path, as far as they exist.

    Args:
        path: An absolute path.

    Raises:
        UnsafeCache: Another user could put another file or directory in its place.
        OSError: It cannot be reached, so neither can the path.
    """
    if _POSIX:
        _walk(os.path.dirname(path))


def resolve_file(path: str) -> str:
    """Check the way to a file, through links, and say where the file really is.

    Args:
        path: An absolute path.

    Returns:
        The path without links.

    Raises:
        UnsafeCache: Another user could put another file in its place.
        OSError: It cannot be reached.
    """
    return _walk(path) if _POSIX else os.path.realpath(path)


def _walk(path: str) -> str:
    current, pending, links = "/", _steps(path), 0
    _check_directory(os.lstat(current), current)
    while pending:
        step = pending.pop(0)
        if step == "..":
            current = os.path.dirname(current)
            continue
        here = os.path.join(current, step)
        try:
            status = os.lstat(here)
        except FileNotFoundError:
            return os.path.join(here, *pending)  # the rest is made in a checked directory
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                hint = f"namei -l {commands().quoted(path)}"
                raise UnsafeCache(f"{path} goes through too many symbolic links", hint=hint)
            _check_owner(status, here, "is a symbolic link that")
            target = os.readlink(here)
            pending = _steps(target) + pending
            current = "/" if os.path.isabs(target) else current
            continue
        if stat.S_ISDIR(status.st_mode):
            _check_directory(status, here)
        elif pending:
            return os.path.join(here, *pending)  # no directory: the system reports that to the next call
        current = here
    return current


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step not in ("", ".")]


def _check_directory(status: os.stat_result, path: str) -> None:
    if path != "/":  # the root's owner has made this process's whole view of the machine
        _check_owner(status, path, "")
    if status.st_mode & stat.S_ISVTX:
        return
    if status.st_mode & stat.S_IWOTH:
        raise UnsafeCache(f"everyone can write to {path}, above the token cache", hint=_chmod(status, path, "o-w"))
    if status.st_mode & stat.S_IWGRP and not is_private_group(status.st_gid):
        raise UnsafeCache(
            f"group {status.st_gid} can write to {path}, above the token cache", hint=_chmod(status, path, "g-w")
        )


def _chmod(status: os.stat_result, path: str, change: str) -> str:
    """A step that breaks nothing: a directory that is not plainly this user's own may be shared on purpose."""
    is_own = os.geteuid() == status.st_uid and is_in_home(path)
    return f"chmod {change} {commands().quoted(path)}" if is_own else ANOTHER_PLACE


def is_in_home(path: str) -> bool:
    """Whether a path is this user's home directory or something in it, and that home is not the system's."""
    home, real = os.path.realpath(expanded("~")), os.path.realpath(path)
    try:
        status = os.stat(home)
    except OSError:
        return False
    # Root may run with the home of another, and daemons have one such as /var: what else is in it is not theirs alone.
    is_own = status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX
    is_own = is_own and (home.count("/") > 1 or home == "/root")
    return is_own and (real == home or real.startswith(f"{home}/"))


def _check_owner(status: os.stat_result, path: str, what: str) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise UnsafeCache(
            " ".join(filter(None, (path, what, f"belongs to user {status.st_uid}, who could replace the token cache"))),
            hint=ANOTHER_PLACE,
        )


def is_ours_alone(status: os.stat_result) -> bool:
    """Whether a file is this user's, and no other user but root can write to it."""
    if not _POSIX:
        return True
    shared = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not is_private_group(status.st_gid))
    return status.st_uid == os.geteuid() and not shared


def is_private_group(gid: int) -> bool:
    """Whether only we and root are in a group: many systems give each user one, and let it write."""
    if gid == 0:
        return True
    try:
        with LOADING:
            import grp
            import pwd

        me, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except (ImportError, KeyError):
        return False
    return me.pw_gid == gid and group.gr_name == me.pw_name and not set(group.gr_mem) - {me.pw_name}
