"""What the cache keeps for one credential."""

import json

import pytest

from lakekey.cache.entry import Entry, Failure, NewerEntry, Stored, entry_id

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


@pytest.mark.parametrize(
    "entry",
    [FULL, Entry({}), Entry({"host": "ü"}), Entry({"client_id": None})],
    ids=["full", "empty", "not ascii", "no client"],
)
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


@pytest.mark.parametrize("value", [5, None, True, {}, ["x"]], ids=repr)
@pytest.mark.parametrize("name", ["host", "auth_type", "scopes"])
def test_an_entry_that_cannot_be_shown_in_a_list_is_a_value_error(name, value):
    fields = json.loads(FULL.to_bytes())
    if (name, value) != ("scopes", ["x"]):
        with pytest.raises(ValueError):
            Entry.from_bytes(json.dumps({**fields, "about": {name: value}}).encode())
    for scopes in ([value], ["sql", value]):
        for wrong in ({"about": {"scopes": scopes}}, {"scopes": scopes}):
            with pytest.raises(ValueError):
                Entry.from_bytes(json.dumps({**fields, **wrong}).encode())


@pytest.mark.parametrize("value", [5, 0, True, {}, ["x"]], ids=repr)
def test_an_entry_whose_client_is_not_text_is_a_value_error(value):
    with pytest.raises(ValueError):
        Entry.from_bytes(Entry({"client_id": value}).to_bytes())


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


def test_what_an_entry_does_not_say_has_its_default():
    assert Entry({}) == (
        {}, 0, "", "Bearer", 0.0, 0.0, "", (), None, 0.0, None, None, None, "", 0.0, 0.0, "", False, None,
    )  # fmt: skip
    assert Failure("code", "message", 1.0) == ("code", "message", 1.0, None, None, None, "")
    assert Stored(None, None) == (None, None, False)


@pytest.mark.parametrize(("spending", "version"), [(None, 1), (("an-intent", 1.5), 2)])
def test_only_an_entry_whose_token_is_being_spent_is_left_alone_by_releases_that_do_not_know_it(spending, version):
    entry = Entry({}, spending=spending)
    assert json.loads(entry.to_bytes())["format"] == version
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_entry_of_a_later_release_is_told_from_damage():
    with pytest.raises(NewerEntry, match="format 3"):
        Entry.from_bytes(b'{"format": 3, "about": {}}')
    for version in ("0", '"1"', "null"):
        with pytest.raises(ValueError, match="not an entry") as caught:
            Entry.from_bytes(b'{"format": %s, "about": {}}' % version.encode())
        assert not isinstance(caught.value, NewerEntry)


def test_entry_is_read_up_to_the_size_of_the_largest_file_of_ours():
    most, frame = 8 << 20, len(b'{"format":1,"about":{"x":""}}')
    content = b'{"format":1,"about":{"x":"%s"}}'
    assert Entry.from_bytes(content % (b"x" * (most - frame))).about
    with pytest.raises(ValueError):
        Entry.from_bytes(content % (b"x" * (most - frame + 1)))


def test_name_of_an_entry_is_the_same_in_every_release():
    assert entry_id({"user": "Zo\xeb", "host": "https://x"}) == (
        "7137ca0c03d6bcb5fb3a3ac9517307889d110c0af8ac3db53cab27cde0bf0215"
    )
