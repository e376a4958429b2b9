"""Reading ``.databrickscfg``, with the SDK's semantics: no inheritance from ``DEFAULT`` into named profiles."""

import configparser
import os
from collections.abc import Mapping
from typing import NamedTuple

from lakekey.errors import ConfigurationError

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
    path = os.path.expanduser(path or "~/.databrickscfg")
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=True)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        if wanted is None:
            return None
        raise ConfigurationError(
            f"there is no file {path} to find it in", hint=f"databricks configure, or create {path}", profile=wanted
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"{path} cannot be read: {reason}", hint=f"ls -l {path}", profile=wanted) from None
    except configparser.Error as error:
        # The parser's message quotes the line, which may be the secret: say only where.
        line = getattr(error, "lineno", None) or (getattr(error, "errors", None) or [(None,)])[0][0]
        raise ConfigurationError(
            f"{path} is malformed" + (f" at line {line}" if line else ""), hint=f"mend that line of {path}"
        ) from None
    name = wanted or parser.get(_SETTINGS_SECTION, "default_profile", fallback="").strip() or None
    section = name or "DEFAULT"
    if not parser.has_section(section) or section == _SETTINGS_SECTION:
        if name is None:
            return None
        raise ConfigurationError(
            f"{path} has no profile of that name", hint="see those it has: lakekey profiles", profile=name
        )
    return Profile(name, path, dict(parser.items(section)))


def names(path: str | None = None) -> list[str]:
    """The profiles that the file holds, in its order; none where there is no readable file."""
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=False)
    parser.read(os.path.expanduser(path or "~/.databrickscfg"), encoding="utf-8")
    return [name for name in parser.sections() if name != _SETTINGS_SECTION]
