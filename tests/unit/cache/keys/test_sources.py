"""Where the key comes from, who decides, and that the decision stands."""

import base64
import json
import os
import stat

import pytest

from lakekey import _commands
from lakekey.cache import durable_files, private_files
from lakekey.cache.keys import anchor
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.keyring import KeyringItem
from lakekey.cache.keys.ring import format_ring, key_id
from lakekey.cache.keys.sources import configured, ring_of
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.cache.stores.file import FileStore
from lakekey.errors import ConfigurationError, KeyUnavailable, UnsafeCache
from support.process_state import forget_unwrapped
from support.ring_texts import PASSPHRASE

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()
needs_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "cache"
    private_files.ensure_directory(str(path))
    return path


def ring(directory, **environ):
    return Keys(FileStore(str(directory)), environ).current()


def refusal(directory, **environ):
    with pytest.raises(KeyUnavailable) as caught:
        ring(directory, **environ)
    assert caught.value.hint
    return caught.value


def mount(path, text=KEY, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.posix_owners
def test_a_key_file_is_made_once_and_for_its_owner_only(directory):
    first = ring(directory, LAKEKEY_KEY_SOURCE="file")
    assert ring(directory, LAKEKEY_KEY_SOURCE="file") == first
    assert stat.S_IMODE((directory / "master.key").stat().st_mode) == 0o600


def test_a_machine_without_a_keyring_gets_a_key_file_and_the_reason_is_kept(directory, monkeypatch):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr("keyring.core._keyring_backend", None)  # what an earlier test in this process has found
    found = ring(directory)
    assert (found.source, found.where) == ("file", str(directory / "master.key"))
    assert "no OS keyring" in found.why
    assert ring(directory).why == found.why


@pytest.mark.parametrize("backend", ["null", "fail"])
@pytest.mark.posix_locks
def test_a_keyring_that_keeps_nothing_is_not_taken_for_one_even_when_it_is_asked_for(directory, monkeypatch, backend):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{backend}.Keyring")
    assert "no OS keyring" in refusal(directory, LAKEKEY_KEY_SOURCE="keyring").message
    assert sorted(os.listdir(directory)) == ["cache.lock", "entries"]


def test_a_cache_with_a_key_file_and_nothing_written_down_goes_on_with_that_file(directory):
    durable_files.replace(str(directory / "master.key"), KEY.encode())
    assert ring(directory).current == key_id(b"k" * 32)
    assert refusal(directory, LAKEKEY_KEY_SOURCE="keyring").hint.endswith("lakekey keys rotate --to keyring")


@pytest.mark.parametrize("damaged", ["", "# a comment\n", "garbage\n", KEY[:20]])
def test_damaged_key_file_of_ours_is_to_be_restored_and_not_overwritten(directory, damaged):
    ring(directory, LAKEKEY_KEY_SOURCE="file")
    (directory / "master.key").write_text(damaged)
    error = refusal(directory)
    assert error.message.startswith(f"{directory / 'master.key'} holds ")
    assert "restore it from a backup" in error.hint
    assert "openssl" not in error.hint


@pytest.mark.parametrize("text", ["", "garbage"])
def test_keyring_item_without_a_key_is_to_be_restored(monkeypatch, text):
    item = KeyringItem("keyring.backends.kwallet:DBusKeyring", "x", {})
    monkeypatch.setattr(item, "read", lambda: text)
    with pytest.raises(KeyUnavailable, match="holds ") as caught:
        ring_of(item)
    assert caught.value.hint.startswith("restore that keyring")


def test_key_that_is_given_and_is_none_is_to_be_made(directory, tmp_path):
    for given in ({"LAKEKEY_KEY": "garbage"}, {"LAKEKEY_KEY_FILE": mount(tmp_path / "given", "garbage")}):
        assert refusal(directory, **given).hint == "make a key with: openssl rand -base64 32"


def test_the_decision_names_no_secret(directory):
    ring(directory, LAKEKEY_PASSPHRASE=PASSPHRASE)
    written = (directory / "cache.json").read_text()
    assert PASSPHRASE not in written
    assert set(json.loads(written)) == {"format", "check", "source", "why", "since", "current"}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"LAKEKEY_KEY_SOURCE": "file"}, {"LAKEKEY_KEY": KEY}),
        ({"LAKEKEY_KEY_SOURCE": "file"}, {"LAKEKEY_PASSPHRASE": PASSPHRASE}),
        ({"LAKEKEY_KEY_SOURCE": "file"}, {"LAKEKEY_KEY_SOURCE": "keyring"}),
        ({"LAKEKEY_KEY": KEY}, {"LAKEKEY_KEY_SOURCE": "file"}),
        ({"LAKEKEY_PASSPHRASE": PASSPHRASE}, {"LAKEKEY_KEY_SOURCE": "file"}),
        ({"LAKEKEY_PASSPHRASE": PASSPHRASE}, {"LAKEKEY_KEY": KEY}),
    ],
)
def test_a_decision_that_was_made_is_not_overruled_by_another_setting(directory, first, then):
    before = ring(directory, **first)
    error = refusal(directory, **then)
    assert "asks for the key source" in error.message
    assert ring(directory, **first) == before


@pytest.mark.parametrize("first", [{"LAKEKEY_KEY": KEY}, {"LAKEKEY_PASSPHRASE": PASSPHRASE}])
def test_source_that_is_not_configured_any_more_is_an_error_and_not_replaced(directory, first):
    ring(directory, **first)
    files = sorted(os.listdir(directory))
    assert "not set" in refusal(directory).message
    assert sorted(os.listdir(directory)) == files


def test_a_key_in_the_environment_may_come_as_a_mounted_file_elsewhere(directory, tmp_path):
    first = ring(directory, LAKEKEY_KEY=KEY)
    mounted = ring(directory, LAKEKEY_KEY_FILE=mount(tmp_path / "mounted"))
    assert mounted.keys == first.keys
    assert (first.source, mounted.source) == ("env", "mounted")


def test_a_named_source_silences_the_others(directory):
    found = ring(directory, LAKEKEY_KEY_SOURCE="file", LAKEKEY_KEY=KEY, LAKEKEY_PASSPHRASE=PASSPHRASE)
    assert found.source == "file"


def test_a_source_that_there_is_none_of_is_refused(directory):
    with pytest.raises(ConfigurationError, match="'vault'"):
        ring(directory, LAKEKEY_KEY_SOURCE="vault")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":1}', b'{"format":2,"source":"file","why":""}',
                                     b'{"format":1,"source":3,"why":""}', b'{"format":1,"source":"tpm","why":""}',
                                     b'{"format":1,"source":"keyring","why":"","backend":"os:system","item":"x"}'])  # fmt: skip
def test_a_damaged_or_foreign_decision_is_an_error_and_starts_no_second_key(directory, content):
    durable_files.replace(str(directory / "cache.json"), content or b" ")
    refusal(directory)
    assert os.listdir(directory) == ["cache.json"]


def test_a_key_file_that_is_gone_is_an_error_and_not_made_again(directory):
    ring(directory, LAKEKEY_KEY_SOURCE="file")
    (directory / "master.key").unlink()
    error = refusal(directory, LAKEKEY_KEY_SOURCE="file")
    assert "is gone" in error.message
    assert error.hint.endswith(f"sign in again: {_commands.move_away(str(directory))}")
    assert not (directory / "master.key").exists()


# -- mounted files ------------------------------------------------------------------------------------------------


@pytest.mark.posix_owners
def test_a_key_file_of_our_own_has_to_be_private(directory, tmp_path):
    path = mount(tmp_path / "key", mode=0o400)
    assert ring(directory, LAKEKEY_KEY_FILE=path).current == key_id(b"k" * 32)


@needs_root
@pytest.mark.parametrize(("mode", "owner", "accepted"), [
    (0o444, 0, True), (0o644, 0, True), (0o440, 0, True), (0o600, 0, True),
    (0o664, 0, False), (0o646, 0, False), (0o400, 54321, False),
])  # fmt: skip
@pytest.mark.posix_owners
def test_mounted_file_that_only_root_can_change_is_accepted(directory, tmp_path, mode, owner, accepted):
    path = mount(tmp_path / "key", mode=mode)
    os.chown(path, owner, owner)
    if accepted:
        assert ring(directory, LAKEKEY_KEY_FILE=path).source == "mounted"
    else:
        with pytest.raises(UnsafeCache):
            ring(directory, LAKEKEY_KEY_FILE=path)


@pytest.mark.posix_owners
def test_a_kubernetes_mount_is_read_through_its_links_and_after_its_swap(directory, tmp_path):
    volume = tmp_path / "secrets"
    for version, text in (("..1", KEY), ("..2", OTHER)):
        (volume / version).mkdir(parents=True)
        mount(volume / version / "key", text)
    volume.chmod(0o1777)
    (volume / "..data").symlink_to("..1")
    (volume / "key").symlink_to("..data/key")
    keys = Keys(FileStore(str(directory)), {"LAKEKEY_KEY_FILE": str(volume / "key")})
    assert keys.ring.current == key_id(b"k" * 32)
    (volume / "..new").symlink_to("..2")
    os.replace(volume / "..new", volume / "..data")
    assert keys.read().current == key_id(b"o" * 32)


@needs_root
@pytest.mark.posix_owners
def test_mounted_file_behind_another_users_link_is_refused(directory, tmp_path):
    mount(tmp_path / "real")
    (tmp_path / "key").symlink_to("real")
    os.chown(tmp_path / "key", 54321, 54321, follow_symlinks=False)
    with pytest.raises(UnsafeCache, match="symbolic link"):
        ring(directory, LAKEKEY_KEY_FILE=str(tmp_path / "key"))


@pytest.mark.posix_owners
def test_mounted_file_below_a_world_writable_directory_is_refused(directory, tmp_path):
    (tmp_path / "open").mkdir()
    path = mount(tmp_path / "open" / "key")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UnsafeCache):
        ring(directory, LAKEKEY_KEY_FILE=path)


def test_a_mounted_file_that_is_not_there_is_named(directory, tmp_path):
    assert str(tmp_path / "nowhere") in refusal(directory, LAKEKEY_KEY_FILE=str(tmp_path / "nowhere")).message


@pytest.mark.posix_owners
def test_a_mounted_directory_is_not_a_key(directory, tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(UnsafeCache):
        ring(directory, LAKEKEY_KEY_FILE=str(tmp_path / "d"))


# -- passphrases --------------------------------------------------------------------------------------------------


def test_passphrase_opens_the_same_ring_each_time_and_a_wrong_one_is_reported(directory):
    first = ring(directory, LAKEKEY_PASSPHRASE=PASSPHRASE)
    assert ring(directory, LAKEKEY_PASSPHRASE=PASSPHRASE) == first
    wrong = refusal(directory, LAKEKEY_PASSPHRASE="another passphrase")
    assert wrong.message == "LAKEKEY_PASSPHRASE is not the passphrase of this cache"


def test_two_caches_under_one_passphrase_share_neither_salt_nor_key(directory, tmp_path):
    other = tmp_path / "other"
    private_files.ensure_directory(str(other))
    first, second = (ring(place, LAKEKEY_PASSPHRASE=PASSPHRASE) for place in (directory, other))
    assert first.current != second.current
    salts = {json.loads((place / "passphrase.ring").read_text())["salt"] for place in (directory, other)}
    assert len(salts) == 2


def test_a_passphrase_that_can_be_guessed_is_refused(directory):
    with pytest.raises(ConfigurationError, match="shorter"):
        ring(directory, LAKEKEY_PASSPHRASE="secret")
    assert not (directory / "cache.json").exists()


@pytest.mark.parametrize("change", [
    {"sealed": "AAAA"}, {"n": 2**30}, {"n": 3}, {"n": "x"}, {"p": 0}, {"r": 0}, {"salt": 1}, {"kdf": "md5"}, {"format": 9},
    {"deep": json.loads("[" * 65 + "]" * 65)},
])  # fmt: skip
def test_a_damaged_ring_under_a_passphrase_is_an_error_and_costs_neither_memory_nor_a_traceback(directory, change):
    ring(directory, LAKEKEY_PASSPHRASE=PASSPHRASE)
    file = directory / "passphrase.ring"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    refusal(directory, LAKEKEY_PASSPHRASE=PASSPHRASE)


# -- key management services --------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package, as a site would write one, that brings services."""
    home = tmp_path / "site"
    (home / "fake_kms-1.0.dist-info").mkdir(parents=True)
    (home / "fake_kms-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-kms\nVersion: 1.0\n")
    (home / "fake_kms-1.0.dist-info" / "entry_points.txt").write_text(
        "[lakekey.key_sources]\nfake = fake_kms:Fake\nbroken = fake_kms:missing\nforgetful = fake_kms:Forgetful\n"
    )
    (home / "fake_kms.py").write_text(
        "class Fake:\n"
        "    def __init__(self, environ):\n"
        "        self.where = 'alias/' + environ['FAKE_ALIAS']\n"
        "        self.down = 'FAKE_DOWN' in environ\n"
        "    def wrap(self, plaintext):\n"
        "        return bytes(byte ^ 0x5A for byte in plaintext)\n"
        "    def unwrap(self, wrapped):\n"
        "        if self.down:\n"
        "            raise RuntimeError('denied to ' + wrapped.hex())\n"
        "        return self.wrap(wrapped)\n"
        "class Forgetful(Fake):\n"
        "    def unwrap(self, wrapped):\n"
        f"        return {KEY.encode()!r}\n"
    )
    monkeypatch.syspath_prepend(str(home))
    return {"LAKEKEY_KEY_SOURCE": "kms", "LAKEKEY_KMS": "fake", "FAKE_ALIAS": "tokens"}


def test_a_service_from_a_package_wraps_the_ring(directory, package):
    first = ring(directory, **package)
    assert (first.source, first.where) == ("kms", "fake: alias/tokens")
    assert ring(directory, **package) == first
    stored = json.loads((directory / "kms.ring").read_text())
    assert format_ring(list(first.keys.values())).strip() not in json.dumps(stored)
    assert stored["kms"] == "fake"


def test_the_service_that_made_a_ring_opens_it_whatever_is_named_later(directory, package):
    first = ring(directory, **package)
    del package["LAKEKEY_KMS"]
    assert ring(directory, **package) == first


def test_a_service_that_refuses_is_an_error_that_quotes_nothing_of_it(directory, package):
    ring(directory, **package)
    forget_unwrapped()  # a new process
    error = refusal(directory, FAKE_DOWN="1", **package)
    assert "RuntimeError" in error.message
    assert "denied" not in str(error)


@pytest.mark.parametrize(("name", "words"), [("broken", "cannot be loaded"), ("other", "not installed")])
def test_a_service_that_cannot_be_loaded_is_named(directory, package, name, words):
    package["LAKEKEY_KMS"] = name
    assert words in refusal(directory, **package).message


def test_a_service_that_does_not_give_back_what_it_was_given_is_not_begun_with(directory, package):
    package["LAKEKEY_KMS"] = "forgetful"
    assert "did not give back" in refusal(directory, **package).message
    assert not (directory / "cache.json").exists()


def test_of_several_services_one_has_to_be_named(directory, package):
    del package["LAKEKEY_KMS"]
    with pytest.raises(ConfigurationError, match="broken, fake, forgetful"):
        ring(directory, **package)


def test_without_a_service_there_is_none_to_use(directory):
    with pytest.raises(ConfigurationError, match="names no key management service"):
        ring(directory, LAKEKEY_KEY_SOURCE="kms")


@pytest.mark.posix_locks
def test_a_ring_moves_from_source_to_source_and_leaves_nothing_behind(directory, package, tmp_path):
    place = {"LAKEKEY_CACHE_DIR": str(directory)}
    open_cache({**place, "LAKEKEY_KEY_SOURCE": "file"}).begin()
    environ = {**place, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    rotate(open_cache(environ, moving=True), to="passphrase")
    assert open_cache(environ).ring.source == "passphrase"
    assert not (directory / "master.key").exists()
    rotate(open_cache({**environ, **package}, moving=True), to="kms")
    assert open_cache({**place, **package}).ring.source == "kms"
    assert sorted(os.listdir(directory)) == ["cache.json", "cache.lock", "entries", "kms.ring"]


@pytest.mark.posix_locks
def test_other_processes_of_this_user_follow_a_ring_that_moves_to_a_service(directory, package, monkeypatch):
    place = {"LAKEKEY_CACHE_DIR": str(directory), "LAKEKEY_PASSPHRASE": PASSPHRASE}
    open_cache(place).begin()
    elsewhere = {name: value for name, value in package.items() if name != "LAKEKEY_KMS"}
    followed, remember = [], anchor.remember

    def just_before(*arguments):
        monkeypatch.setattr(anchor, "remember", remember)
        followed.append(ring(directory, FAKE_ALIAS="tokens").source)
        remember(*arguments)

    monkeypatch.setattr(anchor, "remember", just_before)
    rotate(open_cache({**place, **package}, moving=True), to="kms")
    assert [*followed, ring(directory, **elsewhere).source] == ["kms", "kms"]


def test_a_ring_that_moves_just_as_it_is_read_is_found_where_it_went(directory, package):
    settings = {"LAKEKEY_CACHE_DIR": str(directory), "FAKE_ALIAS": "tokens"}
    open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"}).begin()
    moving = [open_cache({**settings, **package}, moving=True)]

    class Environment(dict):
        """Asked when it has been read where the ring is, and not yet the ring."""

        def get(self, name, default=None):
            if moving:
                rotate(moving.pop(), to="kms")
            return super().get(name, default)

    assert Keys(FileStore(str(directory)), Environment(settings)).ring.source == "kms"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"LAKEKEY_KEY": " "}, None),
        ({"LAKEKEY_KEY_SOURCE": " Env ", "LAKEKEY_KEY_FILE": "/a/key"}, ("env", "LAKEKEY_KEY_SOURCE")),
        ({"LAKEKEY_KEY_SOURCE": "file", "LAKEKEY_KEY_FILE": "/a/key"}, ("mounted", "LAKEKEY_KEY_FILE")),
        ({"LAKEKEY_KEY_SOURCE": "file", "LAKEKEY_KEY_FILE": " "}, ("file", "LAKEKEY_KEY_SOURCE")),
        ({"LAKEKEY_KEY": KEY, "LAKEKEY_KEY_FILE": "/a/key"}, ("env", "LAKEKEY_KEY")),
        ({"LAKEKEY_KEY_FILE": "/a/key", "LAKEKEY_KMS": "fake"}, ("mounted", "LAKEKEY_KEY_FILE")),
    ],
)
def test_environment_asks_for_a_source_by_its_name_or_by_what_only_that_source_needs(environ, wanted):
    assert configured(environ) == wanted
