"""The first use of a cache: one choice for all processes, written down, remembered and recorded; and its removal."""

import base64
import logging

import pytest

from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import NOTE, KeyChoice, parse
from lakekey.cache.keys.first_use import choose, fill, forget, plan
from lakekey.cache.keys.ring import key_id
from lakekey.cache.keys.sources import own_source
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import ConfigurationError, KeyUnavailable
from support.memory_stores import Shared

KEY = base64.b64encode(b"1" * 32).decode()
ID = key_id(b"1" * 32).hex()
GIVEN = ("env", "LAKEKEY_KEY")


class Overtaken(MemoryStore):
    """A place in which another host writes its choice while this one makes up its own.

    Attributes:
        others: What it writes.
    """

    others: bytes | None = None

    def swap_note(self, name, content, *, replaces):
        if self.others is not None:
            self.write_note(name, self.others)
        return False


class Source(MemoryStore):
    """A key source that gives back what it holds, whatever it is given.

    Attributes:
        holds: What it holds; ``None`` for what it was given last.
    """

    where, name = "the vault", "file"
    holds: str | None = None

    def write(self, text):
        self.text = text

    def read(self):
        return self.holds or self.text


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """The environment of a user who has a home, and no keyring."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr("keyring.core._keyring_backend", None)  # what an earlier test in this process has found
    return {"HOME": str(tmp_path), "APPDATA": str(tmp_path), "LAKEKEY_KEY": KEY}


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A key management service of a package, which wraps nothing. Its name."""
    package = tmp_path / "site" / "plain_kms-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-kms\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[lakekey.key_sources]\nplain = plain_kms:Plain\n")
    (package.parent / "plain_kms.py").write_text(
        "class Plain:\n"
        "    where = 'here'\n"
        "    def __init__(self, environ):\n"
        "        pass\n"
        "    def wrap(self, key):\n"
        "        return key\n"
        "    unwrap = wrap\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    return "plain"


def written(place):
    return parse(place.read_note(NOTE), NOTE)


@pytest.fixture
def audited(caplog):
    """Which changes of the key were recorded."""
    caplog.set_level(logging.INFO)

    def records():
        fields = [vars(record) for record in caplog.records if record.name == "lakekey.audit"]
        return [
            tuple(each.get(f"lakekey.{name}") for name in ("event", "action", "detail", "store")) for each in fields
        ]

    return records


@pytest.mark.parametrize(("store", "current"), [(MemoryStore, ""), (Shared, ID)])
def test_choice_is_written_down_remembered_reported_and_recorded(environ, caplog, audited, store, current):
    place = store()
    made = choose(place, environ, GIVEN, None)
    assert (made.source, made.why, made.current) == ("env", "LAKEKEY_KEY asks for it", current)
    assert made.since
    assert written(place) == made
    assert anchor.recall(environ, place.where) == made
    said = "the key of the token cache in memory: is kept by source env: LAKEKEY_KEY asks for it"
    assert said in [record.message for record in caplog.records]
    assert audited() == [("key_change", "chosen", f"env {current}".strip(), "memory:")]


def test_choice_that_another_process_has_made_stands(place, environ, audited):
    first = choose(place, environ, GIVEN, None)
    before = place.read_note(NOTE)
    passphrase = {**environ, "LAKEKEY_PASSPHRASE": "correct horse battery staple"}
    assert choose(place, passphrase, ("passphrase", "LAKEKEY_PASSPHRASE"), None) == first
    assert place.read_note(NOTE) == before
    assert len(audited()) == 1


def test_damaged_choice_is_replaced(place, environ):
    place.write_note(NOTE, b"{")
    assert choose(place, environ, GIVEN, None) == written(place)


def test_choice_that_was_found_again_is_written_whatever_is_configured(place, environ):
    found = KeyChoice("file", "it was found again", "then", current=ID)
    assert choose(place, environ, GIVEN, found) == found
    assert written(place) == found
    assert place.read_note("master.key") is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (None, "no key is configured"),
        (("file", "LAKEKEY_KEY_SOURCE"), "a key file of this host opens nothing elsewhere"),
        (("passphrase", "LAKEKEY_PASSPHRASE"), "a passphrase could be tried by everyone"),
    ],
)
def test_source_of_one_host_is_refused_for_a_store_that_hosts_share(environ, wanted, said):
    place = Shared()
    with pytest.raises(ConfigurationError, match=said):
        choose(place, {**environ, "LAKEKEY_PASSPHRASE": "correct horse battery staple"}, wanted, None)
    assert place.read_note(NOTE) is None


def test_key_that_is_configured_and_not_there_is_not_chosen(place, environ):
    with pytest.raises(KeyUnavailable, match="LAKEKEY_KEY is not set"):
        choose(place, {**environ, "LAKEKEY_KEY": ""}, GIVEN, None)
    assert place.read_note(NOTE) is None


@pytest.mark.parametrize("wanted", [GIVEN, ("file", "LAKEKEY_KEY_SOURCE")])
def test_choice_of_a_host_that_was_faster_counts(environ, wanted, audited):
    place = Overtaken()
    theirs = KeyChoice("mounted", "theirs")
    place.others = theirs.to_bytes()
    assert choose(place, environ, wanted, None) == theirs
    assert anchor.recall(environ, place.where) is None
    assert audited() == []


@pytest.mark.parametrize("others", [None, b"{"])
def test_place_that_changes_under_our_hands_is_an_error(environ, others):
    place = Overtaken()
    place.others = others
    with pytest.raises(KeyUnavailable, match="was changed by another process at the same time") as caught:
        choose(place, environ, GIVEN, None)
    assert caught.value.hint == "run it again"


def test_ring_of_a_service_that_another_host_writes_at_the_same_time_is_left_to_it(environ, service):
    class Raced(MemoryStore):
        """Another host is first with the ring, and with the choice."""

        def swap_note(self, name, content, *, replaces):
            self.write_note(NOTE, KeyChoice("mounted", "theirs").to_bytes())
            return False

    assert choose(Raced(), {**environ, "LAKEKEY_KMS": service}, ("kms", "LAKEKEY_KMS"), None).why == "theirs"


def test_keyring_that_was_asked_for_and_is_not_there_is_not_replaced(place, environ):
    with pytest.raises(KeyUnavailable, match="asked for, but no OS keyring answers") as caught:
        choose(place, environ, ("keyring", "LAKEKEY_KEY_SOURCE"), None)
    assert caught.value.hint == "fix it, or use a key file: LAKEKEY_KEY_SOURCE=file"


def test_plan_names_the_source_and_carries_nothing_out(environ):
    planned = plan("passphrase", "it was asked for", environ)
    assert (planned.source, planned.why, planned.kms, planned.cache, planned.item) == (
        "passphrase", "it was asked for", "", "", "",
    )  # fmt: skip
    wrapped = plan("kms", "", {**environ, "LAKEKEY_KMS": "vault:transit/one"})
    again = plan("kms", "", {**environ, "LAKEKEY_KMS": "vault:transit/one"})
    assert wrapped.kms == "vault:transit/one"
    assert len(wrapped.cache) == 16
    assert wrapped.cache != again.cache


def test_machine_without_a_keyring_gets_a_key_file_and_no_warning(place, environ, caplog):
    made = choose(place, environ, None, None)
    assert (made.source, made.why) == ("file", "no OS keyring answers in this session")
    assert own_source(made, place, environ).read()
    assert "once the keyring works" not in caplog.text


def test_key_that_was_kept_elsewhere_before_is_not_replaced_by_a_key_file(place, environ):
    anchor.remember(environ, place.where, KeyChoice("env", "as ever"))
    with pytest.raises(KeyUnavailable, match=r"was kept in 'env' before, and no OS keyring answers") as caught:
        choose(place, environ, None, None)
    assert caught.value.hint.endswith("LAKEKEY_KEY_SOURCE=file")
    assert place.read_note(NOTE) is None and place.read_note("master.key") is None


def test_ring_that_is_put_into_a_source_has_the_given_keys_or_a_new_one():
    chosen = KeyChoice("file", "")
    source = Source()
    first, second = fill(chosen, source), fill(chosen, source)
    assert len(first.current) == 16
    assert first.current != second.current
    assert fill(chosen, source, (b"1" * 32, b"2" * 32)).current == ID
    assert len(source.read().split()) == 2


def test_source_that_gives_back_another_key_is_not_begun_with():
    source = Source()
    source.holds = KEY
    with pytest.raises(KeyUnavailable, match="the vault did not give back the key"):
        fill(KeyChoice("file", ""), source)


def test_key_that_is_forgotten_leaves_neither_note_nor_copy_nor_key(place, environ, audited):
    file = KeyChoice("file", "it was chosen", current=ID)
    place.write_note(NOTE, file.to_bytes())
    place.write_note("master.key", KEY.encode())
    anchor.remember(environ, place.where, KeyChoice("passphrase", "as ever"))
    forget(place, environ)
    assert place.read_note(NOTE) is None and place.read_note("master.key") is None
    assert anchor.recall(environ, place.where) is None
    assert audited() == [("key_change", "forgotten", f"file {ID}", "memory:")]


def test_key_that_is_given_is_forgotten_by_its_note_alone(place, environ, audited):
    choose(place, environ, GIVEN, None)
    place.write_note("master.key", b"of another cache")
    forget(place, environ)
    assert place.read_note(NOTE) is None
    assert place.read_note("master.key") == b"of another cache"
    assert audited()[1] == ("key_change", "forgotten", "env", "memory:")


@pytest.mark.parametrize("note", [None, b"{"])
def test_cache_without_a_choice_that_can_be_read_is_forgotten_as_well(place, environ, audited, note):
    if note is not None:
        place.write_note(NOTE, note)
    forget(place, environ)
    assert place.read_note(NOTE) is None
    assert audited() == [("key_change", "forgotten", None, "memory:")]


@pytest.mark.parametrize("change", [lambda *a: choose(*a, GIVEN, None), forget])
def test_key_is_changed_under_the_lock_of_the_key(place, environ, change):
    held = []

    class Watched(MemoryStore):
        def read_note(self, name):
            held.append(self._changing_key.locked())
            return super().read_note(name)

    change(Watched(), environ)
    assert held and held[0]
