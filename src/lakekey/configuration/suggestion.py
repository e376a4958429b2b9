"""The known name that a mistyped one most resembles."""

from collections.abc import Iterable

from lakekey._imports import LOADING


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a mistyped one most resembles, or ``None`` if none does.

    Args:
        word: What was typed.
        known: What there is.
    """
    with LOADING:
        import difflib  # only where something is wrong

    spelled = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold()[:200], spelled, n=1, cutoff=0.7)
    return spelled[found[0]] if found else None
