"""Reading a ``.databrickscfg`` with `configparser`, as the SDK does: what is not plain, and what is malformed."""

import configparser
import contextlib

from lakekey import _commands
from lakekey.errors import ConfigurationError


def sections(text: str, path: str, wanted: str | None) -> dict[str, dict[str, str]]:
    """What a text says: section, key, value.

    Args:
        text: The file's text, `lakekey.configuration.databrickscfg.normalized`.
        path: The file, for the error.
        wanted: The profile that is looked for, for the error.

    Raises:
        ConfigurationError: It is malformed.
    """
    # No section is the default one, so nothing is inherited; DEFAULT is then a section like any other.
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or (getattr(error, "errors", None) or [(None,)])[0][0]
        twice = isinstance(error, configparser.DuplicateSectionError) and error.section == "DEFAULT"
    else:
        return _sections(parser)
    if twice:
        # To the SDK all [DEFAULT] are one, as long as no key is in two of them. A parser that has it as its default
        # section says whether that is all that is wrong; one that is not strict then joins them.
        with contextlib.suppress(configparser.Error):
            configparser.ConfigParser(interpolation=None, strict=True).read_string(text)
            parser = configparser.ConfigParser(interpolation=None, default_section="", strict=False)
            parser.read_string(text)
            return _sections(parser)
    # Raised out here: the parser's error quotes the line, which may be the secret. Say only where.
    raise ConfigurationError(
        f"{path} is malformed" + (f" at line {line}" if line else ""),
        hint=f"fix that line of {_commands.quoted(path)}",
        profile=wanted,
    )


def _sections(parser: configparser.ConfigParser) -> dict[str, dict[str, str]]:
    return {name: dict(parser.items(name)) for name in parser.sections()}
