"""Answers of the token endpoint that could not be written, by session, with the refusals that end one.

They are those of the whole process, and of its forked children, since whichever of its providers comes next would
otherwise send the spent token.
"""

from typing import NamedTuple

from lakekey.cache.entry import Entry

_SAME_SIGN_IN = 5.0  # seconds: each host measures by how much its clock differs from the store's, and not alike


class Unsaved(NamedTuple):
    """An answer that could not be written.

    Attributes:
        spent: The refresh token that was exchanged for it, which is dead where tokens are single-use; that of the
            session which a sign-in replaces; or ``""``, for a sign-in where there was none.
        entry: What should be stored.
    """

    spent: str
    entry: Entry

    def __repr__(self) -> str:
        return f"Unsaved({self.entry!r})"


_answers: dict[str, Unsaved] = {}


def keep(key: str, spent: str, entry: Entry) -> None:
    """Keep an answer, by the key of the session's queue."""
    _answers[key] = Unsaved(spent, entry)


def get(key: str) -> Unsaved | None:
    """The answer that is kept for a session."""
    return _answers.get(key)


def drop(key: str) -> None:
    """It is stored, or of no use any more."""
    _answers.pop(key, None)


def revives(key: str, stored: Entry) -> bool:
    """Whether an answer is kept for a session that another process has given up for lack of it."""
    held = _answers.get(key)
    return held is not None and was_given_up(held.entry, stored)


def was_given_up(answer: Entry, stored: Entry) -> bool:
    """Whether what is stored is the end of the very session that an answer belongs to.

    Another host ends it when it meets a token that was spent, and no answer. A newer sign-in is another session, also
    where its refresh token is gone or there was none.
    """
    same = abs(stored.logged_in_at - answer.logged_in_at) < _SAME_SIGN_IN
    return same and not stored.refresh_token and stored.refused is not None
