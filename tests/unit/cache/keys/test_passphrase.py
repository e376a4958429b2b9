"""The ring under a passphrase: what is written, what is read of it, and what is refused."""

import errno
import json

import pytest

from lakekey.cache.keys import passphrase
from lakekey.cache.keys.passphrase import NOTE, PassphraseRing
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import ConfigurationError, KeyUnavailable

WORDS = "correct horse battery staple"
TEXT = "the text of a ring"


@pytest.fixture
def ring(place):
    return PassphraseRing(place, {"LAKEKEY_PASSPHRASE": WORDS})


@pytest.fixture
def derived(monkeypatch):
    """A key is the beginning of its passphrase, at no cost. What was asked for: the parameters of each."""
    asked = []

    def derive(words, salt, *parameters):
        asked.append((len(salt), *parameters))
        return words.encode().ljust(32)[:32]

    monkeypatch.setattr(passphrase, "_derive", derive)
    return asked


def refusal(ring):
    with pytest.raises(KeyUnavailable) as caught:
        ring.read()
    return caught.value.message, caught.value.hint


def alter(place, **fields):
    place.write_note(NOTE, json.dumps({**json.loads(place.read_note(NOTE)), **fields}).encode())


def test_ring_is_written_with_the_parameters_of_its_key_and_read_with_them(place, ring, derived):
    ring.write(TEXT)
    note = place.read_note(NOTE)
    assert note.startswith(b'{\n "format"') and note.endswith(b"}\n")
    fields = json.loads(note)
    assert {name: fields[name] for name in ("format", "kdf", "n", "r", "p")} == {
        "format": 1, "kdf": "scrypt", "n": 32768, "r": 8, "p": 3,
    }  # fmt: skip
    assert [len(fields[name]) for name in ("salt", "nonce")] == [24, 16]  # of 16 and 12 bytes
    assert ring.read() == TEXT
    alter(place, n=1024, r=9, p=1)
    assert ring.read() == TEXT
    assert derived == [(16, 32768, 8, 3), (16, 32768, 8, 3), (16, 1024, 9, 1)]


@pytest.mark.parametrize("fields", [{"n": 2**20, "r": 8}, {"n": 2**17, "r": 64}, {"p": 16}, {"p": 1}])
def test_work_within_the_bounds_is_done(place, ring, derived, fields):
    ring.write(TEXT)
    alter(place, **fields)
    assert ring.read() == TEXT
    assert len(derived) == 2


@pytest.mark.parametrize("fields", [{"n": 2**20, "r": 9}, {"n": 2**23 + 1, "r": 1}, {"p": 17}, {"p": 0}, {"p": -1}])
def test_more_work_than_a_release_asks_for_is_refused_undone(place, ring, derived, fields):
    ring.write(TEXT)
    alter(place, **fields)
    assert refusal(ring) == (
        f"the key ring memory:{NOTE} cannot be used: it asks for more work than any release of lakekey does",
        "restore it from a backup, or start over with another LAKEKEY_CACHE_DIR",
    )
    assert len(derived) == 1


def test_key_of_a_ring_has_32_bytes():
    assert len(passphrase._derive(WORDS, b"s" * 16, 2, 8, 1)) == 32


@pytest.mark.parametrize("fields", [{"format": 2}, {"kdf": "argon2"}])
def test_ring_of_a_later_release_says_to_upgrade(place, ring, derived, fields):
    ring.write(TEXT)
    alter(place, **fields)
    message, hint = refusal(ring)
    assert message == f"the key ring memory:{NOTE} was written by a later release of lakekey"
    assert hint.startswith("upgrade lakekey here")


def test_ring_that_is_damaged_or_gone_is_not_taken_for_one_under_another_passphrase(place, ring, derived):
    ring.write(TEXT)
    alter(place, salt=1)
    assert refusal(ring)[0].endswith("cannot be used: it is damaged")
    assert ring.lost().message.endswith("cannot be used: it is gone")
    ring.erase()
    assert place.read_note(NOTE) is None
    assert ring.read() is None


def test_another_passphrase_is_reported_as_one(place, ring, derived):
    ring.write(TEXT)
    assert refusal(PassphraseRing(place, {"LAKEKEY_PASSPHRASE": "another one"})) == (
        "LAKEKEY_PASSPHRASE is not the passphrase of this cache",
        f"set LAKEKEY_PASSPHRASE to the one that memory:{NOTE} was made with",
    )


def test_passphrase_that_is_not_set_opens_and_writes_nothing(place, ring, derived):
    ring.write(TEXT)
    unset = PassphraseRing(place, {})
    told = "the key of this cache is under a passphrase, but LAKEKEY_PASSPHRASE is not set"
    assert refusal(unset) == (told, "set LAKEKEY_PASSPHRASE to the passphrase of this cache")
    with pytest.raises(KeyUnavailable, match=told):
        unset.write(TEXT)


def test_eight_characters_are_the_shortest_passphrase(place, derived):
    with pytest.raises(ConfigurationError, match="LAKEKEY_PASSPHRASE is shorter than 8 characters") as caught:
        PassphraseRing(place, {"LAKEKEY_PASSPHRASE": "1234567"}).write(TEXT)
    assert caught.value.hint == "set LAKEKEY_PASSPHRASE to several random words"
    assert place.read_note(NOTE) is None
    PassphraseRing(place, {"LAKEKEY_PASSPHRASE": "12345678"}).write(TEXT)
    assert place.read_note(NOTE)


@pytest.mark.parametrize(("error", "reason"), [(OSError(errno.EIO, "it failed"), "it failed"), (OSError(), "OSError")])
def test_note_that_cannot_be_read_is_told_with_its_reason(error, reason):
    class Failing(MemoryStore):
        def read_note(self, name):
            raise error

    message, hint = refusal(PassphraseRing(Failing(), {"LAKEKEY_PASSPHRASE": WORDS}))
    assert message == f"the key ring memory:{NOTE} cannot be read: {reason}"
    assert hint
