"""An access token with its end. A warm start that asks for headers alone does not load it, nor `datetime`."""

from datetime import datetime
from typing import NamedTuple

from lakekey import _moments
from lakekey.cache.entry import Entry


class Token(NamedTuple):
    """An access token, with what is known about it.

    Attributes:
        access_token: The bearer token. A secret: ``repr`` hides it.
        token_type: ``Bearer``.
        expires_at: When it ends, as an aware datetime in UTC.
        scopes: The scopes granted.
    """

    access_token: str
    token_type: str
    expires_at: datetime
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Token({self.token_type}, expires_at={self.expires_at.isoformat()}, scopes={self.scopes})"


def token_of(entry: Entry) -> Token:
    """The access token of an entry."""
    return Token(entry.access_token, entry.token_type, _moments.utc(entry.expires_at), entry.scopes)
