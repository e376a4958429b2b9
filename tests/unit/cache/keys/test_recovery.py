"""The choice of a cache's key, found again by the keys that its entries name."""

import errno
from types import SimpleNamespace

import pytest

from lakekey.cache.keys import anchor, keyring, recovery
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.keys.file import KeyFile
from lakekey.cache.keys.kms.ring_note import Record, to_bytes
from lakekey.cache.keys.passphrase import PassphraseRing
from lakekey.cache.keys.recovery import find
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import StoreUnavailable
from support.memory_stores import Shared
from support.ring_texts import ID_OF_ONE, ID_OF_TWO, ONE, PASSPHRASE, TWO

FIRST = frozenset({ID_OF_ONE})


def test_nothing_is_found_where_nothing_opens(place, environ, caplog):
    assert find(place, environ, FIRST) is None
    assert find(place, environ, frozenset()) is None
    place.write_note("master.key", TWO.encode())
    assert find(place, {**environ, "LAKEKEY_KEY": TWO}, FIRST) is None
    assert not caplog.records


@pytest.mark.parametrize("needed", [FIRST, frozenset()])
def test_source_that_opens_the_entries_is_found_and_reported_where_there_are_entries(place, environ, caplog, needed):
    place.write_note("master.key", f"{ONE}\n{TWO}".encode())
    found = find(place, environ, needed)
    assert (found.source, found.why, found.current) == (
        "file", "it was found again by the keys of the entries", ID_OF_ONE,
    )  # fmt: skip
    assert found.since
    assert [record.message for record in caplog.records] == [
        "memory:cache.json is damaged or gone; the key of the token cache was found again, in source file"
    ] * bool(needed)


def test_source_that_opens_the_most_entries_counts(place, environ):
    place.write_note("master.key", f"{TWO}\n{ONE}".encode())
    given = {**environ, "LAKEKEY_KEY": ONE}
    assert find(place, given, frozenset({ID_OF_ONE, ID_OF_TWO})).source == "file"
    assert find(place, given, FIRST).source == "env"  # as many, and stronger
    assert find(place, given, frozenset()).source == "env"


def test_what_is_one_hosts_own_is_not_looked_for_in_a_store_that_hosts_share(environ, monkeypatch):
    place = Shared()
    settings = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE, "LAKEKEY_KEY": TWO}
    for source in (PassphraseRing(place, settings), KeyFile(place)):
        source.write(f"{TWO}\n{ONE}")
    monkeypatch.setattr(keyring, "items", lambda _: [("a backend", "an item")])
    assert find(place, settings, frozenset({ID_OF_ONE, ID_OF_TWO})).source == "env"
    assert find(place, settings, FIRST) is None


def test_mounted_key_and_one_under_a_passphrase_are_looked_at(place, environ, tmp_path):
    (tmp_path / "mounted").write_text(ONE)
    (tmp_path / "mounted").chmod(0o600)
    assert find(place, {**environ, "LAKEKEY_KEY_FILE": str(tmp_path / "mounted")}, FIRST).source == "mounted"
    passphrase = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    PassphraseRing(place, passphrase).write(ONE)
    place.write_note("master.key", ONE.encode())
    assert find(place, passphrase, FIRST).source == "passphrase"
    assert find(place, environ, FIRST).source == "file"  # where the passphrase is not set


def test_source_that_this_user_has_seen_is_looked_at_first_and_no_key_file_beside_it(place, environ):
    seen = KeyChoice("env", "as ever", since="then")
    anchor.remember(environ, place.where, seen)
    given = {**environ, "LAKEKEY_KEY": ONE}
    assert find(place, given, FIRST) == seen._replace(current=ID_OF_ONE)
    place.write_note("master.key", f"{TWO}\n{ONE}".encode())
    assert find(place, environ, FIRST) is None  # which others may have put there
    assert find(place, given, frozenset({ID_OF_ONE, ID_OF_TWO})) == seen._replace(current=ID_OF_ONE)


def test_ring_of_a_service_that_cannot_be_asked_is_passed_over(place, environ):
    place.write_note("kms.ring", to_bytes([Record(2, "not-installed", "c" * 16, b"wrapped", b"sealed")]))
    place.write_note("master.key", ONE.encode())
    assert find(place, environ, FIRST).source == "file"


def opening(rings, *, otherwise):
    """Opens the ring of each key management service that is named, and another one of all other sources."""
    return lambda choice, *_: SimpleNamespace(
        name=choice.source, where="", read=lambda: rings.get(choice.kms, otherwise)
    )


@pytest.mark.parametrize(
    ("store", "seen", "named", "found"),
    [
        (MemoryStore, "", "", "x"),
        (MemoryStore, "", "y", "x"),
        (Shared, "", "", None),
        (Shared, "", "x", "x"),
        (MemoryStore, "keyring", "", "keyring"),
        (MemoryStore, "keyring", "x", "x"),
        (MemoryStore, "kms", "", "seen"),
        (Shared, "kms", "", "seen"),
    ],
)
def test_service_that_the_user_neither_configured_nor_saw_is_passed_over_however_much_it_opens(
    environ, monkeypatch, store, seen, named, found
):
    place = store()
    place.write_note("kms.ring", to_bytes([Record(2, "x", "c" * 16, b"wrapped", b"sealed")]))
    monkeypatch.setattr(recovery, "open_source", opening({"x": f"{ONE}\n{TWO}"}, otherwise=ONE))
    if seen:
        anchor.remember(environ, place.where, KeyChoice(seen, "as ever", kms="seen" if seen == "kms" else ""))
    choice = find(place, {**environ, "LAKEKEY_KMS": named}, frozenset({ID_OF_ONE, ID_OF_TWO}))
    assert (choice and (choice.kms or choice.source)) == found


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), StoreUnavailable("it is away")])
def test_note_that_cannot_be_read_is_passed_over(environ, error):
    class Failing(MemoryStore):
        def read_note(self, name):
            raise error

    assert find(Failing(), environ, FIRST) is None
    assert find(Failing(), {**environ, "LAKEKEY_KEY": ONE}, FIRST).source == "env"


def test_items_of_the_keyring_are_looked_at_where_there_are_entries_to_tell_them_by(place, environ, monkeypatch):
    asked = []
    monkeypatch.setattr(keyring, "items", lambda _: asked.append(None) or [("keyring.backends.null:Keyring", "x")])
    assert find(place, environ, frozenset()) is None
    assert not asked
    assert find(place, environ, FIRST) is None
    assert asked
