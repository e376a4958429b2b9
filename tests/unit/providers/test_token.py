"""A token as programs get it."""

import typing
from datetime import UTC, datetime, timedelta

import lakekey
from lakekey.cache.entry import Entry
from lakekey.providers.token import Token, token_of


def test_end_of_a_token_is_an_aware_time_in_utc():
    token = token_of(Entry({}, access_token="secret", expires_at=1764400000.0, scopes=("sql",)))
    assert token.expires_at == datetime(2025, 11, 29, 7, 6, 40, tzinfo=UTC)
    assert token.expires_at.utcoffset() == timedelta(0)
    assert token[:2] == ("secret", "Bearer")


def test_repr_of_a_token_hides_it():
    token = Token("secret", "Bearer", datetime(2026, 1, 1, tzinfo=UTC), ("sql",))
    assert repr(token) == "Token(Bearer, expires_at=2026-01-01T00:00:00+00:00, scopes=('sql',))"


def test_type_of_a_token_can_be_asked_for_at_run_time():
    assert typing.get_type_hints(lakekey.Token)["expires_at"] is datetime
