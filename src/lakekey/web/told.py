"""Errors that a page shows in its reader's language: what happened, and the next step on the page."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from lakekey.errors import ConfigurationError, LakekeyError

_NAME = "told"
E = TypeVar("E", bound=LakekeyError)


class Told(NamedTuple):
    """A text for the pages.

    Attributes:
        key: Its key.
        values: What its places are filled with.
        quoted: What a lower layer says, or ``""``.
    """

    key: str
    values: Mapping[str, str]
    quoted: str


def told(
    key: str,
    message: str,
    *,
    hint: str | None = None,
    profile: str | None = None,
    **values: str,
) -> ConfigurationError:
    """A setting or a request that is refused, known to the pages by the key of their text.

    Args:
        key: The key of the text (`lakekey.web.words`).
        message: What happened, for the command line and for programs.
        hint: The next step there.
        profile: The profile that it happened to.
        **values: What the text's places are filled with.
    """
    error = ConfigurationError(message, hint=hint, profile=profile)
    vars(error)[_NAME] = Told(key, values, "")
    return error


def retold(key: str, error: E, **values: str) -> E:
    """An error of a lower layer, with a text for the pages, which quote what it says.

    Args:
        key: The key of the text.
        error: The error; its hint is for a command line.
        **values: What the text's places are filled with.
    """
    vars(error)[_NAME] = Told(key, values, error.message)
    return error


def key_of(error: LakekeyError) -> str | None:
    """The key of an error's own text; ``None`` if it has none."""
    own = text_of(error)
    return own.key if own is not None else None


def with_step(error: LakekeyError) -> str:
    """An error for the log, with the next step that a page does not show."""
    return f"{error.message} → {error.hint}" if error.hint else error.message


def text_of(error: LakekeyError) -> Told | None:
    """An error's own text; ``None`` if it has none."""
    return vars(error).get(_NAME)
