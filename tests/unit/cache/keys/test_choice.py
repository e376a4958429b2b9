"""Where a cache's key is: found again when the note of it is damaged, and not led astray by others."""

import base64
import json
import os

import pytest

from lakekey.cache import durable_files
from lakekey.cache.entry import Entry
from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.errors import KeyUnavailable
from support.ring_texts import PASSPHRASE

NAME = "a" * 64
SOURCES = {
    "file": {"LAKEKEY_KEY_SOURCE": "file"},
    "chosen file": {},
    "env": {"LAKEKEY_KEY": base64.b64encode(b"k" * 32).decode()},
    "passphrase": {"LAKEKEY_PASSPHRASE": PASSPHRASE},
}


@pytest.fixture
def environ(tmp_path, monkeypatch):
    os.chmod(tmp_path, 0o700)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return {"HOME": str(tmp_path), "APPDATA": str(tmp_path), "LAKEKEY_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture
def note(tmp_path):
    return tmp_path / "cache" / "cache.json"


def sealed(environ):
    cache = open_cache(environ)
    assert cache.put(NAME, Entry({}, refresh_token="kept"), replaces=None)
    return cache


def overwrite(path, content):
    durable_files.replace(str(path), content)


@pytest.mark.parametrize("source", ["file", "chosen file", "env"])
@pytest.mark.every_input
def test_damage_of_any_byte_of_the_choice_costs_no_session(environ, note, source):
    environ |= SOURCES[source]
    sealed(environ)
    good = note.read_bytes()
    for place in range(len(good)):
        for changed in (good[place] ^ 1, good[place] ^ 0x80):
            overwrite(note, good[:place] + bytes([changed]) + good[place + 1 :])
            assert open_cache(environ).get(NAME).refresh_token == "kept", (place, changed)


DEEP = b'{"format": 1, "source": "kms", "why": "", "deep": ' + b"[" * 65 + b"]" * 65 + b"}"


@pytest.mark.every_input
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":1}', b"\0" * 300, b"[" * 100_000, DEEP, None])
def test_choice_that_is_no_longer_there_is_found_again_and_written(environ, note, source, content):
    environ |= SOURCES[source]
    key = sealed(environ).ring.current
    if content is None:
        note.unlink()
    else:
        overwrite(note, content or b" ")
    cache = open_cache(environ)
    assert cache.get(NAME).refresh_token == "kept"
    assert cache.put("b" * 64, Entry({}), replaces=None)
    assert cache.ring.current == key
    # A key file without a choice counts as one.
    assert not note.exists() or json.loads(note.read_bytes())["source"] == source.removeprefix("chosen ")


def test_damaged_choice_without_a_key_that_opens_is_an_error_that_moves_nothing(environ, note, tmp_path):
    environ |= SOURCES["env"]
    sealed(environ)
    overwrite(note, b"{")
    del environ["LAKEKEY_KEY"]
    with pytest.raises(KeyUnavailable, match="damaged") as caught:
        open_cache(environ)
    assert caught.value.hint == f"restore {note} from a backup"
    assert note.read_bytes() == b"{"


@pytest.mark.parametrize("more", [{}, {"check": "0" * 16}], ids=["without a check", "with a check"])
def test_choice_of_a_later_release_is_left_alone(environ, note, more):
    environ |= SOURCES["file"]
    sealed(environ)
    written = json.dumps({"format": 2, "source": "file", "why": "", **more}, indent=1).encode()
    if more:
        later = KeyChoice("file", "").to_bytes().replace(b'"format": 1', b'"format": 2')
        written = resealed(later)
    overwrite(note, written)
    for attempt in (lambda: open_cache(environ), lambda: rotate(open_cache(environ))):
        with pytest.raises(KeyUnavailable, match="later release") as caught:
            attempt()
        assert "upgrade" in caught.value.hint
    assert note.read_bytes() == written


def resealed(content):
    """A note with the check that belongs to it, as docs/reference/cache-format.md says."""
    import hashlib
    import re

    blank = re.sub(rb'"check": "[0-9a-f]{16}"', b'"check": "' + b"0" * 16 + b'"', content)
    check = hashlib.sha256(blank).hexdigest()[:16].encode()
    return blank.replace(b'"check": "' + b"0" * 16, b'"check": "' + check)


# Who can write to the cache, and has no key


@pytest.fixture
def attacked(environ, note, tmp_path):
    """A cache whose key was under a passphrase, in which an attacker has written a choice and a key of their own."""
    kept = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    sealed(kept)
    overwrite(tmp_path / "cache" / "master.key", base64.b64encode(bytes(range(32))))
    overwrite(note, KeyChoice("file", "as ever").to_bytes())
    return kept


@pytest.mark.parametrize("entries", ["kept", "removed"])
@pytest.mark.parametrize("choice", ["replaced", "removed", "damaged"])
def test_source_that_was_chosen_is_not_replaced_by_a_weaker_one(environ, attacked, note, tmp_path, entries, choice):
    if entries == "removed":
        (tmp_path / "cache" / "entries" / f"{NAME}.entry").unlink()
    if choice == "removed":
        note.unlink()
    if choice == "damaged":
        overwrite(note, b"{")
    with pytest.raises(KeyUnavailable):  # a run in which the passphrase is not set
        open_cache(environ).put("b" * 64, Entry({}, refresh_token="new"), replaces=None)
    assert not (tmp_path / "cache" / "entries" / f"{'b' * 64}.entry").exists()


def test_key_file_that_was_moved_there_elsewhere_is_confirmed_by_a_rotation(environ, attacked, tmp_path):
    (tmp_path / "cache" / "entries" / f"{NAME}.entry").unlink()
    with pytest.raises(KeyUnavailable) as caught:
        open_cache(environ)
    assert caught.value.hint.endswith("with LAKEKEY_KEY_SOURCE=file, run: lakekey keys rotate --to file")
    rotate(open_cache({**environ, "LAKEKEY_KEY_SOURCE": "file"}, moving=True), to="file")
    assert bytes(range(32)) not in open_cache(environ).ring.keys.values()


@pytest.mark.parametrize("more", [{}, SOURCES["env"], SOURCES["passphrase"], {"LAKEKEY_KEY_FILE": "/a/key"}])
@pytest.mark.parametrize("moving", [False, True])
def test_key_file_that_others_may_have_put_there_is_not_to_be_moved_unconfirmed(environ, attacked, more, moving):
    with pytest.raises(KeyUnavailable, match="which anyone who can write there could have put there") as caught:
        open_cache({**environ, **more}, moving=moving)
    assert ("without LAKEKEY_KEY_FILE" in caught.value.hint) is ("LAKEKEY_KEY_FILE" in more)


def test_cache_that_began_before_the_copy_is_protected_from_its_first_write_on(environ):
    environ |= SOURCES["passphrase"]
    cache = sealed(environ)
    os.unlink(anchor.path_of(environ, cache.store.where))
    sealed_again = open_cache(environ)
    sealed_again.put("b" * 64, Entry({}), replaces=None)
    assert anchor.recall(environ, cache.store.where).source == "passphrase"


@pytest.mark.posix_owners
def test_copy_of_the_choice_holds_no_secret_and_is_private(environ):
    environ |= SOURCES["passphrase"]
    path = anchor.path_of(environ, sealed(environ).store.where)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path) as file:
        assert PASSPHRASE not in file.read()


# Looking


def test_looking_at_a_cache_that_is_not_there_makes_none(environ, tmp_path):
    cache = open_cache(environ)
    assert (cache.list(), cache.get(NAME), cache.ring.keys) == ([], None, {})
    assert list(tmp_path.iterdir()) == []
