"""Errors that a page says in its reader's language: what happened there, and the next step on the page."""

from collections.abc import Mapping

from lakekey.errors import ConfigurationError, LakekeyError

_NAME = "told"


def told(
    key: str, message: str, *, hint: str | None = None, profile: str | None = None, **values: str
) -> ConfigurationError:
    """A setting or a wish that cannot be, known to the pages by the key of their text.

    Args:
        key: The key of the text (`lakekey.web.words`).
        message: What happened, for the command line and for programs.
        hint: The next step there.
        profile: The profile that it happened to.
        **values: What the text's places are filled with.
    """
    error = ConfigurationError(message, hint=hint, profile=profile)
    vars(error)[_NAME] = key, values
    return error


def key_of(error: LakekeyError) -> str | None:
    """The key of an error's own text; ``None`` where it has none."""
    own = text_of(error)
    return own[0] if own is not None else None


def text_of(error: LakekeyError) -> tuple[str, Mapping[str, str]] | None:
    """The key of an error's own text, and its values; ``None`` where it has none."""
    return vars(error).get(_NAME)
