"""What the cache keeps for one credential."""

import json

import pytest

from lakekey.cache.entry import Entry, Failure, entry_id

FULL = Entry(
    about={"host": "https://x", "auth_type": "external-browser"},
    generation=3,
    access_token="an-access-token",
    issued_at=1.5,
    expires_at=3601.5,
    refresh_token="a-refresh-token",
    scopes=("all-apis", "sql"),
    identity="ada@example.com",
    logged_in_at=1.0,
    refused=Failure("login_required", "the session is over", 2.0),
    failure=Failure("token_endpoint", "no answer", 3.0, "try again", "503"),
    proof="p",
)


@pytest.mark.parametrize("entry", [FULL, Entry({}), Entry({"host": "ü"})], ids=["full", "empty", "not ascii"])
def test_an_entry_comes_back_as_it_went(entry):
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_a_field_of_a_later_release_is_ignored_and_a_missing_one_takes_its_default():
    fields = json.loads(FULL.to_bytes())
    del fields["proof"]
    again = Entry.from_bytes(json.dumps({**fields, "from_the_future": 1}).encode())
    assert again == FULL._replace(proof="")


DEEP = b'{"format": 1, "about": {"host": ' + b"[" * 65 + b"]" * 65 + b"}}"


@pytest.mark.parametrize(
    "plaintext", [b"", b"null", b"[]", b"{}", b'{"format": 3, "about": {}}', b"\xff", DEEP, b"[" * 100_000]
)
def test_what_is_not_an_entry_is_a_value_error(plaintext):
    with pytest.raises(ValueError):
        Entry.from_bytes(plaintext)


def test_the_repr_shows_which_tokens_there_are_and_none_of_them():
    assert repr(FULL) == "Entry(https://x, generation 3, tokens: access and refresh)"
    assert repr(Entry({"host": "x"})) == "Entry(x, generation 0, tokens: none)"


def test_an_entrys_name_depends_on_the_values_and_not_on_their_order():
    assert entry_id({"a": 1, "b": None}) == entry_id({"b": None, "a": 1})
    assert entry_id({"a": 1, "b": None}) != entry_id({"a": 1, "b": ""})
    assert len(entry_id({})) == 64


def test_every_field_can_be_read_back_as_it_was():
    full = Entry({"host": "h"}, refresh_expires_at=1.5, session_ends_at=2.5, client_secret="s", scopes=("a",))
    assert Entry.from_bytes(full.to_bytes()) == full


def test_every_field_survives_its_plaintext_and_none_may_be_of_another_kind():
    entry = Entry({"host": "https://h"})
    assert Entry.from_bytes(entry.to_bytes()) == entry
    accepted = []
    for name in Entry._fields:
        try:
            Entry.from_bytes(json.dumps({"format": 1, "about": {}, name: {"of": "no kind"}}).encode())
        except (ValueError, TypeError):
            continue
        accepted.append(name)
    assert accepted == ["about"]
