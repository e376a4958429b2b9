"""Reading ``.databrickscfg``, with the SDK's semantics: no inheritance from ``DEFAULT`` into named profiles."""

from __future__ import annotations

import os
import stat
import sys

from lakekey._imports import LOADING, commands, expanded
from lakekey._named_tuple import NamedTuple
from lakekey.errors import ConfigurationError, with_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The section that is not a profile.
SETTINGS_SECTION = "__settings__"

_POSIX = os.name == "posix"
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_PIECE = 1 << 16
_MOST = 4 << 20  # bytes; a file of profiles has a few thousand


class Profile(NamedTuple):
    """One section of the file.

    Attributes:
        name: The section's name, or ``None`` for a ``DEFAULT`` that was not named.
        path: The file.
        values: Its own keys and values.
    """

    name: str | None
    path: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Profile({self.name}, {self.path})"


def location(configured: str | None) -> str:
    """The file's path: the configured one, or ``~/.databrickscfg``."""
    try:
        found = expanded(configured or "~/.databrickscfg")
        return with_home(found, "DATABRICKS_CONFIG_FILE") if configured else found
    except ValueError:  # a null character; opening it says so
        return configured or ""


def read(path: str | None, wanted: str | None) -> Profile | None:
    """Find a profile.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        wanted: The profile; ``None`` for ``[__settings__] default_profile``, else ``DEFAULT``.

    Returns:
        The profile, or ``None`` if none was named and there is no default.

    Raises:
        ConfigurationError: The named profile is not there, or the file cannot be read.
    """
    path = location(path)
    found = _read(path, wanted)
    if found is None:
        if wanted is None:
            return None
        raise ConfigurationError(
            f"there is no file {path} to find it in",
            hint=f"lakekey login {commands().profile(wanted)} --host https://…",
            profile=wanted,
        )
    name = wanted or _default_profile(found)
    section = name or "DEFAULT"
    if section not in found or section == SETTINGS_SECTION:
        if name is None:
            return None
        named = "" if wanted else f" ([{SETTINGS_SECTION}] default_profile names it)"
        raise no_such_profile(path, name, found, named)
    return Profile(name, path, found[section])


def profiles(path: str | None) -> tuple[list[Profile], str | None]:
    """All profiles of the file, in its order, and the name of the one that is taken where none is named.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    path = location(path)
    found = _read(path, None)
    if found is None:
        return [], None
    default = _default_profile(found) or ("DEFAULT" if "DEFAULT" in found else None)
    return [Profile(name, path, values) for name, values in found.items() if name != SETTINGS_SECTION], default


def _default_profile(found: Mapping[str, Mapping[str, str]]) -> str | None:
    return found.get(SETTINGS_SECTION, {}).get("default_profile", "").strip() or None


def no_such_profile(path: str, name: str, known: Iterable[str], named: str = "") -> ConfigurationError:
    """The error that a file has no such profile, with the name that may be meant.

    Args:
        path: The file.
        name: The profile that is not there.
        known: The file's sections.
        named: What names it, in words, where that is not the caller.
    """
    with LOADING:
        from lakekey.configuration.suggestion import nearest

    near = nearest(name, [section for section in known if section != SETTINGS_SECTION])
    hint = f"did you mean {near}? See those it has: lakekey profiles" if near else "see them: lakekey profiles"
    return ConfigurationError(f"{path} has no profile of that name{named}", hint=hint, profile=name)


def decode(content: bytes, path: str, wanted: str | None) -> str:
    """The text of a file. A byte-order mark, with which editors on Windows begin one, is left in it.

    Raises:
        ConfigurationError: It is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        pass
    # PowerShell's redirection and Out-File write UTF-16 unless they are told.
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    reason = f"it is not UTF-8 text{', but UTF-16' if is_utf16 else ''}"
    in_powershell = "; in PowerShell: Set-Content -Encoding utf8" if is_utf16 or not _POSIX else ""
    hint = f"save it as UTF-8{in_powershell}"
    raise ConfigurationError(f"{path} cannot be read: {reason}", hint=hint, profile=wanted)


def normalized(text: str) -> str:
    """A text as `open` reads it, without the mark that editors on Windows begin it with: every line ends with one."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _plain_sections(text: str) -> dict[str, dict[str, str]] | None:
    """What a plain text says, as `configparser` reads it, which takes longer to load than to read with.

    Returns:
        ``None`` if a line is not plain (indented, no assignment, a section or key that is there twice, …).
    """
    found: dict[str, dict[str, str]] = {}
    keys: dict[str, str] | None = None
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if line[0] != stripped[0]:  # a continuation, perhaps
            return None
        if stripped[0] == "[":
            name = stripped[1:-1]
            if stripped[-1] != "]" or not name or "]" in name or name in found:
                return None
            keys = found[name] = {}
            continue
        end = min(place for place in (stripped.find("="), stripped.find(":"), len(stripped)) if place >= 0)
        key = stripped[:end].rstrip().lower()
        if keys is None or not key or end == len(stripped) or key in keys:
            return None
        keys[key] = stripped[end + 1 :].strip()
    return found


def _read(path: str, wanted: str | None) -> dict[str, dict[str, str]] | None:
    try:
        content = _content(path, wanted)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or "it is not a path"
    else:
        text = normalized(decode(content, path, wanted))
        if (found := _plain_sections(text)) is not None:
            return found
        with LOADING:
            from lakekey.configuration.profile_parser import sections

        return sections(text, path, wanted)
    raise _unreadable(path, reason, wanted)


def open_to_read(path: str) -> int:
    """Open a file of profiles. What is denied for a moment, since another program is writing it, is tried again.

    Raises:
        OSError: As from `os.open`.
    """
    try:
        return _open(path)
    except FileNotFoundError:
        raise
    except OSError:
        with LOADING:
            from lakekey.cache.private_files import patiently

        return patiently(lambda: _open(path))


def _open(path: str) -> int:
    if sys.platform == "win32":
        with LOADING:
            from lakekey import _shared_opening

        return _shared_opening.open_to_read(path)
    # Not blocking: a pipe that nothing writes to, or a terminal, would hold the program for ever.
    return os.open(path, os.O_RDONLY | _NONBLOCK | _CLOEXEC)


def _content(path: str, wanted: str | None) -> bytes:
    descriptor = open_to_read(path)
    try:
        status = os.fstat(descriptor)
        if _POSIX and (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
            _check_who_may_write(path, status, wanted)
        if stat.S_ISFIFO(status.st_mode):
            with LOADING:
                from lakekey.configuration.piped import content_of

            content = content_of(descriptor, status, _MOST)
        else:
            content = b""
            while len(content) <= _MOST and (chunk := os.read(descriptor, _PIECE)):
                content += chunk
    finally:
        os.close(descriptor)
    if len(content) > _MOST:
        raise _unreadable(path, f"it is larger than {_MOST >> 20} MiB", wanted)
    return content


def _check_who_may_write(path: str, status: os.stat_result, wanted: str | None) -> None:
    """Refuse a file that another user can change: with its host alone, they would be sent the secrets of ours.

    Reading is another matter: mounted secrets are often readable by a group. As for root, the files that are mounted
    into a container belong to users of the machine outside. A pipe without a name lets the group write on macOS.
    """
    others = status.st_mode & (0o002 if stat.S_ISFIFO(status.st_mode) else 0o022)
    if others == 0o020:
        with LOADING:
            from lakekey.cache.safe_path import is_private_group

        others = not is_private_group(status.st_gid)
    if others:
        raise ConfigurationError(
            f"{path} can be changed by other users", hint=f"chmod go-w {commands().quoted(path)}", profile=wanted
        )
    me = os.geteuid()
    if status.st_uid in (0, me):
        return
    if me != 0 and not _is_unmapped(status.st_uid):
        raise ConfigurationError(
            f"{path} belongs to user {status.st_uid}, who could change it",
            hint=f"sudo chown {me} {commands().quoted(path)}",
            profile=wanted,
        )
    with LOADING:
        from lakekey import _log

    _log.warning("configuration", "%s belongs to user %d, who can change it", path, status.st_uid)


def _is_unmapped(uid: int) -> bool:
    """Whether this is how the kernel shows a user that a user namespace does not know, such as the machine's root."""
    try:
        with open("/proc/sys/kernel/overflowuid", "rb") as overflow, open("/proc/self/uid_map", "rb") as known:
            return uid == int(overflow.read()) and known.read().split() != [b"0", b"0", b"4294967295"]
    except (OSError, ValueError):
        return False


def _unreadable(path: str, reason: str, wanted: str | None) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be read: {reason}", hint=_look_at(path), profile=wanted)


def _look_at(path: str) -> str:
    return f"ls -l {commands().quoted(path)}" if _POSIX else commands().look_at(path)
