"""Reading ``.databrickscfg``, with the SDK's semantics: no inheritance from ``DEFAULT`` into named profiles."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from lakekey._imports import LOADING
from lakekey.errors import ConfigurationError

if TYPE_CHECKING:
    import configparser

_SETTINGS_SECTION = "__settings__"


class Profile(NamedTuple):
    """One section of the file.

    Attributes:
        name: The section's name, or ``None`` for a ``DEFAULT`` that nobody named.
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
    return os.path.expanduser(configured or "~/.databrickscfg")


def read(path: str | None, wanted: str | None) -> Profile | None:
    """Find a profile.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        wanted: The profile; ``None`` for ``[__settings__] default_profile``, else ``DEFAULT``.

    Returns:
        The profile, or ``None`` where nobody named one and there is no default.

    Raises:
        ConfigurationError: The named profile is not there, or the file cannot be read.
    """
    path = location(path)
    parser = _parse(path, wanted)
    if parser is None:
        if wanted is None:
            return None
        raise ConfigurationError(
            f"there is no file {path} to find it in", hint=f"lakekey login {wanted} --host https://…", profile=wanted
        )
    default = default_profile(parser)
    name = wanted or default
    section = name or "DEFAULT"
    if not parser.has_section(section) or section == _SETTINGS_SECTION:
        if name is None:
            return None
        named = "" if wanted else f" ([{_SETTINGS_SECTION}] default_profile names it)"
        with LOADING:
            import difflib

        near = difflib.get_close_matches(name, parser.sections(), n=1)
        hint = f"did you mean {near[0]}? See those it has: lakekey profiles" if near else "see them: lakekey profiles"
        raise ConfigurationError(f"{path} has no profile of that name{named}", hint=hint, profile=name)
    return Profile(name, path, dict(parser.items(section)))


def default_profile(parser: "configparser.ConfigParser") -> str | None:
    """What ``[__settings__] default_profile`` names, if anything."""
    return parser.get(_SETTINGS_SECTION, "default_profile", fallback="").strip() or None


def profiles(path: str | None) -> tuple[list[Profile], str | None]:
    """All profiles of the file, in its order, and the name of the one that is taken where none is named.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    path = location(path)
    parser = _parse(path, None)
    if parser is None:
        return [], None
    found = [Profile(name, path, dict(parser.items(name))) for name in parser.sections() if name != _SETTINGS_SECTION]
    default = default_profile(parser) or ("DEFAULT" if parser.has_section("DEFAULT") else None)
    return found, default


def _parse(path: str, wanted: str | None) -> "configparser.ConfigParser | None":
    try:
        with open(path, encoding="utf-8-sig") as file:  # Windows editors begin a file with a byte-order mark
            text = file.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a null character
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"{path} cannot be read: {reason}", hint=f"ls -l {path}", profile=wanted) from None
    with LOADING:
        import configparser  # a scheduled job often has no file

    # No section is the default one, so nothing is inherited; DEFAULT is then a section like any other.
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or (getattr(error, "errors", None) or [(None,)])[0][0]
    else:
        return parser
    # Raised out here: the parser's error quotes the line, which may be the secret. Say only where.
    raise ConfigurationError(
        f"{path} is malformed" + (f" at line {line}" if line else ""),
        hint=f"mend that line of {path}",
        profile=wanted,
    )
