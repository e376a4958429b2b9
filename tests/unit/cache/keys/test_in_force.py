"""The ring in force: chosen once, read again when it was changed, and never another than this user has seen."""

import errno
from importlib.metadata import EntryPoint

import pytest

from lakekey._commands import remove, word
from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import NOTE, KeyChoice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.kms import services
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import KeyUnavailable
from support.memory_stores import Shared
from support.ring_texts import ID_OF_ONE, ONE, PASSPHRASE, TWO


class Unwritable(MemoryStore):
    """A place in which nothing can be written."""

    def swap_note(self, name, content, *, replaces):
        raise OSError(errno.EROFS, "Read-only file system")


def seen(environ, place):
    return anchor.recall(environ, place.where)


def see(environ, place, choice):
    """Lets this user have seen a choice in a cache."""
    anchor.remember(environ, place.where, choice)
    assert seen(environ, place) == choice


def change_note(place):
    """What another process does that changes the key: here it says the same in other words."""
    note = place.read_note(NOTE)
    assert place.swap_note(
        NOTE, note.replace(b'"why": "', b'"why": "as ever, ').replace(b'"check"', b'"no"'), replaces=note
    )


# Chosen once, and read again when it has changed


def test_key_that_is_given_opens_before_anything_is_chosen(place, environ):
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    assert keys.ring.current.hex() == ID_OF_ONE
    assert not keys.chosen
    assert place.read_note(NOTE) is None


@pytest.mark.parametrize("more", [{}, {"LAKEKEY_PASSPHRASE": PASSPHRASE}, {"LAKEKEY_KEY_SOURCE": "file"}])
def test_key_that_would_have_to_be_made_is_not_there_before_it_is_chosen(place, environ, more):
    keys = Keys(place, {**environ, **more})
    assert (keys.ring.keys, keys.chosen) == ({}, False)


def test_ring_is_read_again_only_when_the_note_has_changed(place, environ):
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    first = keys.current()
    assert keys.chosen
    assert keys.current() is first
    change_note(place)
    again = keys.current()
    assert again is not first
    assert again.current == first.current
    assert keys.announced == (again, place.read_note(NOTE))


def test_place_that_was_emptied_is_begun_again_and_that_is_counted(place, environ):
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    keys.current()
    change_note(place)
    keys.current()
    assert keys.begun_again == 0
    place.remove_note(NOTE)
    keys.current()
    assert keys.begun_again == 1
    assert place.read_note(NOTE) is not None


def test_key_that_is_given_needs_nothing_written(environ):
    keys = Keys(Unwritable(), {**environ, "LAKEKEY_KEY": ONE})
    assert keys.current().current.hex() == ID_OF_ONE


@pytest.mark.parametrize("more", [{}, {"LAKEKEY_PASSPHRASE": PASSPHRASE}])
def test_first_key_that_cannot_be_written_is_an_error(environ, more):
    with pytest.raises(OSError, match="Read-only"):
        Keys(Unwritable(), {**environ, **more, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}).current()


def test_choice_that_is_found_again_serves_though_it_cannot_be_written(environ):
    place = Unwritable()
    see(environ, place, KeyChoice("env", "as ever"))
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE}, sealed_under=lambda: frozenset({ID_OF_ONE}))
    assert keys.current().why == "as ever"


# The copy of the choice outside the cache


def test_choice_is_remembered_outside_the_cache_once_a_process(place, environ):
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    keys.current()
    anchor.forget(environ, place.where)
    keys.remember()
    assert seen(environ, place).source == "env"
    anchor.forget(environ, place.where)
    keys.remember()
    assert seen(environ, place) is None


def test_choice_that_this_user_has_seen_is_not_replaced_by_remembering(place, environ):
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    keys.current()
    before = KeyChoice("mounted", "another host's road")
    see(environ, place, before)
    keys.remember()
    assert seen(environ, place) == before


# Another key than other hosts have


@pytest.mark.parametrize(("key", "good"), [(ONE, True), (f"{TWO}\n{ONE}", True), (TWO, False)])
@pytest.mark.parametrize(("store", "moving"), [(Shared, False), (Shared, True), (MemoryStore, False)])
def test_write_under_another_key_than_the_hosts_share_is_refused(environ, store, moving, key, good):
    place = store()
    Keys(place, {**environ, "LAKEKEY_KEY": ONE}).current()
    keys = Keys(place, {**environ, "LAKEKEY_KEY": key}, moving=moving)
    if good or moving or not place.shared:
        keys.require_same()
    else:
        with pytest.raises(KeyUnavailable, match=f"is sealed under key {ID_OF_ONE}, and LAKEKEY_KEY has"):
            keys.require_same()


def test_cache_that_hosts_do_not_share_may_have_a_key_of_its_own(place, environ):
    place.write_note(NOTE, KeyChoice("env", "as ever", current=ID_OF_ONE).to_bytes())
    Keys(place, {**environ, "LAKEKEY_KEY": TWO}).require_same()


# A choice that is damaged or gone


def test_damaged_choice_of_a_key_file_is_found_again_before_anything_is_sealed(place, environ):
    place.write_note(NOTE, b"{")
    place.write_note("master.key", ONE.encode())
    assert Keys(place, environ).ring.source == "file"


def test_ring_is_dropped_when_its_place_was_emptied(place, environ):
    place.write_note(NOTE, KeyChoice("file", "it was chosen").to_bytes())
    place.write_note("master.key", ONE.encode())
    keys = Keys(place, environ)
    assert keys.ring.current.hex() == ID_OF_ONE
    place.remove_note(NOTE)
    place.remove_note("master.key")
    assert not keys.look().keys
    assert not keys.ring.keys


def test_choice_without_entries_yields_to_what_the_user_configures(place, environ):
    see(environ, place, KeyChoice("env", "as ever"))
    passphrase = {**environ, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    assert Keys(place, passphrase).current().source == "passphrase"


@pytest.mark.parametrize(
    ("store", "needed", "hint"),
    [
        (MemoryStore, {ID_OF_ONE}, f"restore memory:{NOTE} from a backup"),
        (MemoryStore, set(), f"nothing is sealed here, so remove it: {remove(f'memory:{NOTE}')}"),
        (Shared, set(), f"nothing is sealed here, so remove it: memory:{NOTE}"),
    ],
)
def test_damaged_choice_that_is_not_found_says_what_to_do(environ, store, needed, hint):
    place = store()
    place.write_note(NOTE, b"{")
    with pytest.raises(KeyUnavailable, match="is damaged, and no key at hand opens the cache") as caught:
        Keys(place, environ, sealed_under=lambda: frozenset(needed))
    assert caught.value.hint == hint


def test_choice_that_is_gone_is_not_an_error_before_something_is_sealed(place, environ):
    keys = Keys(place, environ, sealed_under=lambda: frozenset({ID_OF_ONE}))
    assert not keys.ring.keys


# A weaker source than this user has seen


FILE = KeyChoice("file", "it was chosen")


@pytest.mark.parametrize("source", ["keyring", "passphrase", "env", "mounted", "kms"])
@pytest.mark.parametrize("note", [FILE.to_bytes(), None], ids=["named", "found"])
def test_key_file_that_others_may_have_put_there_is_refused_unless_it_is_configured(place, environ, source, note):
    see(environ, place, KeyChoice(source, "as ever"))
    place.write_note("master.key", ONE.encode())
    if note is not None:
        place.write_note(NOTE, note)
    configured = {**environ, "LAKEKEY_KEY_SOURCE": "file"}
    if note is not None:
        said = refusal(place, environ)
        assert f"was kept in {source!r}, but cache.json now names a key file" in said
        assert Keys(place, configured).ring.current.hex() == ID_OF_ONE
    else:
        assert not Keys(place, environ).ring.keys


def test_key_file_in_a_store_that_hosts_share_is_refused(environ):
    place = Shared()
    place.write_note(NOTE, FILE.to_bytes())
    for settings in ({}, {"LAKEKEY_KEY": ONE}, {"LAKEKEY_KEY_SOURCE": "file"}):
        for moving in (False, True):
            with pytest.raises(KeyUnavailable, match=r"is shared by several hosts, .* could") as caught:
                Keys(place, {**environ, **settings}, moving=moving)
            assert caught.value.hint.startswith(f"restore {place.note_place(NOTE)}, or remove it")
    place.remove_note(NOTE)
    needed = frozenset({ID_OF_ONE})
    place.write_note("master.key", ONE.encode())
    assert Keys(place, {**environ, "LAKEKEY_KEY": ONE}, sealed_under=lambda: needed).current().source == "env"


def test_choice_that_was_seen_and_is_gone_is_found_again(place, environ):
    see(environ, place, KeyChoice("env", "as ever"))
    keys = Keys(place, {**environ, "LAKEKEY_KEY": ONE})
    assert (keys.ring.why, keys.chosen) == ("as ever", False)


# Another service than this user has seen


KMS = KeyChoice("kms", "it was configured", kms="vault:transit/one", cache="c" * 16)


@pytest.fixture
def wrapped(place):
    """A cache whose note says that a key management service has wrapped its key."""
    place.write_note(NOTE, KMS.to_bytes())
    return place


def led_to(choice, store):
    place = store()
    place.write_note(NOTE, choice.to_bytes())
    return place


def refusal(place, environ, **options):
    with pytest.raises(KeyUnavailable) as caught:
        Keys(place, environ, **options)
    return caught.value.message


def test_service_that_others_may_have_put_there_is_refused(wrapped, environ):
    see(environ, wrapped, KMS._replace(kms="vault:transit/mine"))
    assert "was wrapped by 'vault:transit/mine', and now by 'vault:transit/one'" in refusal(wrapped, environ)


def test_service_that_is_configured_is_the_one_that_was_seen_from_then_on(wrapped, environ):
    see(environ, wrapped, KMS._replace(kms="vault:transit/mine"))
    refusal(wrapped, {**environ, "LAKEKEY_KMS": KMS.kms})  # it holds no ring
    assert seen(environ, wrapped) == KMS


@pytest.mark.parametrize(
    ("store", "before"),
    [(MemoryStore, None), (MemoryStore, KMS), (Shared, KMS), (Shared, KMS._replace(cache="d" * 16))],
)
def test_service_is_asked_where_it_is_the_one_that_was_seen_or_nothing_was(environ, store, before):
    place = led_to(KMS, store)
    if before is not None:
        see(environ, place, before)
    assert "could have put" not in refusal(place, environ)
    assert seen(environ, place) == before


@pytest.mark.parametrize("source", ["keyring", "passphrase", "env", "mounted"])
def test_service_is_refused_where_the_key_was_kept_elsewhere_until_it_is_configured(wrapped, environ, source):
    before = KeyChoice(source, "as ever")
    see(environ, wrapped, before)
    with pytest.raises(KeyUnavailable, match="could have put there") as caught:
        Keys(wrapped, environ)
    assert f"was kept in {source!r}, and is now wrapped by {KMS.kms!r}" in caught.value.message
    assert caught.value.hint == f"if you moved the key there, confirm it with: LAKEKEY_KMS={KMS.kms}"
    assert seen(environ, wrapped) == before
    assert "could have put" not in refusal(wrapped, {**environ, "LAKEKEY_KMS": KMS.kms})
    assert seen(environ, wrapped) == KMS


def test_service_of_a_store_that_hosts_share_is_refused_until_it_is_configured(environ):
    place = led_to(KMS, Shared)
    with pytest.raises(KeyUnavailable, match="which is not configured here") as caught:
        Keys(place, environ)
    assert caught.value.hint == f"if that is the service of your hosts, set LAKEKEY_KMS={KMS.kms} on each host"
    assert "not configured here" not in refusal(place, {**environ, "LAKEKEY_KMS": KMS.kms})


@pytest.mark.parametrize("more", [{"LAKEKEY_KEY": ONE}, {"LAKEKEY_KEY": ONE, "LAKEKEY_KEY_SOURCE": "env"}])
def test_way_to_the_service_of_the_hosts_is_one_step_also_where_another_source_is_configured(environ, more):
    place = led_to(KMS, Shared)
    with pytest.raises(KeyUnavailable) as caught:
        Keys(place, {**environ, **more})
    assert f"set LAKEKEY_KEY_SOURCE=kms and LAKEKEY_KMS={KMS.kms} on each host" in caught.value.hint
    followed = {**more, "LAKEKEY_KEY_SOURCE": "kms", "LAKEKEY_KMS": KMS.kms}
    assert "it is gone" in refusal(place, {**environ, **followed})


def test_service_of_a_store_that_hosts_share_is_the_one_that_was_seen_once_it_is_named(environ):
    place = led_to(KMS, Shared)
    refusal(place, {**environ, "LAKEKEY_KMS": KMS.kms})  # it holds no ring
    assert seen(environ, place) == KMS
    assert "could have put" not in refusal(place, environ)


@pytest.mark.parametrize("more", [{"LAKEKEY_KEY": ONE}, {"LAKEKEY_PASSPHRASE": PASSPHRASE}])
def test_other_source_than_that_of_the_hosts_is_refused_with_a_way_that_is_there(environ, more):
    place = led_to(KMS, Shared)
    see(environ, place, KMS)
    with pytest.raises(KeyUnavailable, match="is kept in 'kms'") as caught:
        Keys(place, {**environ, **more})
    assert caught.value.hint == f"unset {next(iter(more))}, or use another store"


def test_name_of_a_service_is_one_word_of_the_command_that_confirms_it(environ):
    place = led_to(KMS._replace(kms="x; rm -rf ~"), Shared)
    with pytest.raises(KeyUnavailable) as caught:
        Keys(place, environ)
    assert f"set LAKEKEY_KMS={word('x; rm -rf ~')} on each host" in caught.value.hint


@pytest.mark.parametrize(("installed", "good"), [(["theirs"], True), (["another"], False), (["a", "theirs"], False)])
def test_only_service_that_a_package_brings_is_configured_by_the_source_alone(environ, monkeypatch, installed, good):
    monkeypatch.setattr(services, "_points", lambda: [EntryPoint(name, "x:y", services.GROUP) for name in installed])
    place = led_to(KMS._replace(kms="theirs"), Shared)
    said = refusal(place, {**environ, "LAKEKEY_KEY_SOURCE": "kms"})
    assert ("not configured here" not in said) is good


def test_service_that_this_user_is_moving_the_key_to_is_followed_before_it_is_the_one_last_seen(wrapped, environ):
    before = KeyChoice("passphrase", "as ever")
    see(environ, wrapped, before)
    anchor.expect(environ, wrapped.where, KMS._replace(kms="vault:transit/mine"))
    assert "could have put there" in refusal(wrapped, environ)
    anchor.expect(environ, wrapped.where, KMS)
    assert "could have put there" not in refusal(wrapped, environ)
    assert seen(environ, wrapped) == KMS
    assert anchor.expected(environ, wrapped.where) is None


@pytest.mark.parametrize("written", [KMS, KeyChoice("file", "it was chosen")])
def test_choice_that_another_makes_in_between_is_looked_at_as_well(environ, written):
    class Overtaken(MemoryStore):
        def changing_key(self):
            self.swap_note(NOTE, written.to_bytes(), replaces=None)
            self.write_note("master.key", ONE.encode())
            return super().changing_key()

    place = Overtaken()
    keys = Keys(place, environ)
    see(environ, place, KeyChoice("env", "as ever"))
    with pytest.raises(KeyUnavailable, match="could have put there"):
        keys.current()


def test_service_that_others_may_have_put_there_is_refused_also_where_the_key_is_moved_away(wrapped, environ):
    see(environ, wrapped, KMS._replace(kms="vault:transit/mine"))
    assert "was wrapped by" in refusal(wrapped, environ, moving=True)


@pytest.mark.parametrize(
    ("more", "before"),
    [
        ({"LAKEKEY_PASSPHRASE": PASSPHRASE}, KeyChoice("passphrase", "as ever")),
        ({"LAKEKEY_KMS": "vault:transit/mine"}, KMS._replace(kms="vault:transit/mine")),
    ],
)
def test_service_that_others_may_have_put_there_is_not_to_be_moved_to_what_is_configured(
    wrapped, environ, more, before
):
    see(environ, wrapped, before)
    with pytest.raises(KeyUnavailable, match="could have put there") as caught:
        Keys(wrapped, {**environ, **more})
    assert "rotate" not in caught.value.hint


def test_another_service_than_the_one_that_wrapped_the_key_is_reported(wrapped, environ):
    said = refusal(wrapped, {**environ, "LAKEKEY_KMS": "vault:transit/two"})
    assert "LAKEKEY_KMS names 'vault:transit/two'" in said


@pytest.mark.parametrize(
    ("more", "way"),
    [
        ({"LAKEKEY_KEY": ONE}, "use another LAKEKEY_CACHE_DIR"),
        ({"LAKEKEY_PASSPHRASE": PASSPHRASE}, "move the key with: lakekey keys rotate --to passphrase"),
    ],
)
def test_other_source_than_the_chosen_one_is_refused_with_the_way_there(wrapped, environ, more, way):
    with pytest.raises(KeyUnavailable, match="is kept in 'kms'") as caught:
        Keys(wrapped, {**environ, **more})
    assert caught.value.hint == f"unset {next(iter(more))}, or {way}"
