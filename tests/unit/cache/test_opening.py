"""Opening a cache: where it is, and memory where nothing can be kept."""

import base64
import errno
import logging
import os
import sys

import platformdirs
import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.opening import cache_directory, open_cache
from lakekey.cache.stores.file import FileStore
from lakekey.errors import ConfigurationError, KeyUnavailable, UnsafeCache
from support.ring_texts import ONE

NAME = "a" * 64


@pytest.fixture
def environ(tmp_path):
    tmp_path.chmod(0o700)
    return {"HOME": str(tmp_path), "LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), "LAKEKEY_KEY_SOURCE": "file"}


@pytest.mark.linux_desktop
@pytest.mark.parametrize(
    ("platform", "place"), [("darwin", "Library/Application Support/lakekey"), ("linux", ".local/state/lakekey")]
)
def test_cache_is_where_the_system_keeps_a_users_state(monkeypatch, tmp_path, platform, place):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory({"HOME": str(tmp_path)}) == str(tmp_path / place)
    assert cache_directory({"HOME": str(tmp_path), "XDG_STATE_HOME": "/state"}) == "/state/lakekey"
    assert cache_directory({"HOME": ""}) == ""  # and not the root of the file system


@pytest.mark.posix_owners
def test_place_that_is_not_safe_is_an_error_where_what_is_kept_is_needed(environ, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o755)
    with pytest.raises(UnsafeCache):
        open_cache(environ)
    assert open_cache(environ, needed=False).volatile.endswith("is open to other users")


@pytest.mark.posix_owners
@pytest.mark.parametrize("needed", [True, False])
def test_entry_that_must_not_be_read_in_a_safe_place_is_an_error_to_a_principal_too(environ, needed):
    cache = open_cache(environ, needed=needed)
    with cache.lock(NAME):
        cache.put(NAME, Entry({}, access_token="t"), replaces=None)
    os.chmod(cache.store.place(NAME), 0o644)
    with pytest.raises(UnsafeCache, match="is open to other users"):
        open_cache(environ, needed=needed).get(NAME)


def in_use():
    """What Windows raises for a file that another program has open."""
    error = PermissionError(errno.EACCES, "no")
    error.winerror = 32
    return error


@pytest.mark.parametrize(("note", "reason"), [("cache.json", "cannot be read"), ("master.key", "cannot be read")])
@pytest.mark.parametrize(
    ("error", "good"), [(PermissionError(errno.EACCES, "no"), True), (OSError(5, "no"), False), (in_use(), False)]
)
def test_key_that_another_user_alone_may_read_is_one_in_memory_to_a_principal(
    environ, monkeypatch, note, reason, error, good
):
    open_cache(environ).begin()
    read_note = FileStore.read_note

    def denied(self, name):
        if name == note:
            raise error
        return read_note(self, name)

    monkeypatch.setattr(FileStore, "read_note", denied)
    with pytest.raises(KeyUnavailable, match=reason) as caught:
        open_cache(environ)
    assert caught.value.hint
    if good:
        assert reason in open_cache(environ, needed=False).volatile
    else:
        with pytest.raises(KeyUnavailable, match=reason):
            open_cache(environ, needed=False)


def test_key_file_that_can_be_read_and_is_damaged_is_an_error_to_a_principal_too(environ):
    open_cache({**environ, "LAKEKEY_KEY_SOURCE": "file"}).begin()
    FileStore(environ["LAKEKEY_CACHE_DIR"]).write_note("master.key", b"damage")
    with pytest.raises(KeyUnavailable):
        open_cache(environ, needed=False)


@pytest.fixture
def leftover(monkeypatch):
    """A key file that only another user may read."""
    read_note = FileStore.read_note

    def denied(self, name):
        if name == "master.key":
            raise PermissionError(errno.EACCES, "no")
        return read_note(self, name)

    monkeypatch.setattr(FileStore, "read_note", denied)


@pytest.mark.usefixtures("leftover")
def test_key_file_that_another_user_left_does_not_hide_that_the_key_is_missing(environ):
    environ["LAKEKEY_KEY_SOURCE"] = "env"
    open_cache({**environ, "LAKEKEY_KEY": ONE}).begin()
    with pytest.raises(KeyUnavailable):
        open_cache(environ, needed=False)


@pytest.mark.usefixtures("leftover")
def test_key_file_of_another_user_counts_where_the_choice_is_damaged(environ):
    open_cache({**environ, "LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": ONE}).begin()
    store = FileStore(environ["LAKEKEY_CACHE_DIR"])
    store.write_note("cache.json", b"{")
    assert "is damaged" in open_cache(environ, needed=False).volatile


@pytest.mark.posix_owners
def test_place_that_cannot_be_made_is_replaced_by_memory_and_reported_once(environ, tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    environ["LAKEKEY_CACHE_DIR"] = str(tmp_path / "file" / "cache")
    opened = [open_cache(environ, needed=needed) for needed in (True, False)]
    assert [cache.volatile for cache in opened] == [
        f"cannot write to the token cache at {tmp_path / 'file' / 'cache'}: Not a directory"
    ] * 2
    assert opened[0].store is opened[1].store
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the memory of this process only" in caplog.text


@pytest.mark.linux_desktop
def test_endless_name_is_one_short_warning_to_a_principal_and_an_error_to_a_person(environ, tmp_path, caplog):
    environ["LAKEKEY_CACHE_DIR"] = str(tmp_path / ("a" * 4000))
    for _ in range(2):
        cache = open_cache(environ, needed=False)
        assert cache.volatile.startswith("the name of the cache directory is too long for this system: ")
        assert cache.ring.source == "memory"
    (said,) = caplog.messages
    assert "the memory of this process only (set LAKEKEY_CACHE_DIR to a shorter one)" in said
    assert len(said) < 300
    with pytest.raises(ConfigurationError, match="too long"):
        open_cache(environ)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (BlockingIOError(), "BlockingIOError"),
    ],
)
def test_key_that_cannot_be_made_is_kept_in_memory_and_the_reason_is_named(environ, error, why):
    cache = open_cache(environ)
    assert cache._sealed._instead(error)[2] == f"cannot make a key in {cache.store.where}: {why}"


@pytest.mark.linux_desktop
def test_user_without_a_home_or_a_current_directory_has_a_cache_in_memory(environ, monkeypatch, tmp_path):
    assert open_cache({"HOME": ""}).volatile == "there is no home directory to keep tokens in"
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "below which relative is" in open_cache({**environ, "LAKEKEY_CACHE_DIR": "relative"}).volatile


@pytest.mark.parametrize(
    "answer", [FileNotFoundError("no such directory"), ValueError("NULL"), os.path.join(".", "lakekey")], ids=repr
)
def test_account_of_windows_whose_profile_is_not_loaded_has_a_cache_in_memory(monkeypatch, answer):
    def user_state_dir(_name, **_options):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(platformdirs, "user_state_dir", user_state_dir)
    assert open_cache({}).volatile == "there is no home directory to keep tokens in"


def test_argument_comes_before_the_environments_store(environ):
    environ["LAKEKEY_STORE"] = "memory:"
    assert open_cache(environ).ring.source == "memory"
    assert open_cache(environ, place=" file: ").store.where == environ["LAKEKEY_CACHE_DIR"]


def test_lost_choice_is_found_again_by_the_keys_of_the_entries(environ, tmp_path):
    cache = open_cache(environ)
    cache.begin()
    cache.put(NAME, Entry({}, refresh_token="kept"), replaces=None)
    (tmp_path / "cache" / "cache.json").unlink()
    assert open_cache(environ).get(NAME).refresh_token == "kept"
    cache.store.write_note("cache.json", b"damaged")
    cache.store.write_note("master.key", base64.b64encode(bytes(32)))  # which opens none of them
    with pytest.raises(KeyUnavailable) as caught:
        open_cache(environ)
    assert caught.value.hint.endswith("from a backup")


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_cannot_spend_what_is_in_its_parents_memory():
    memory = open_cache({"LAKEKEY_STORE": "memory:"})
    memory.put(NAME, Entry({}, access_token="alive", refresh_token="once"), replaces=None)
    memory.put(NAME[1:] + "b", Entry({}, access_token="alone"), replaces=None)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        kept = memory.get(NAME)
        told = repr((kept.access_token, kept.refresh_token, kept.refused.code, memory.get(NAME[1:] + "b").generation))
        os.write(writer, told.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, "rb") as told:
        assert told.read() == repr(("alive", "", "login_required", 1)).encode()
    assert memory.get(NAME).refresh_token == "once"


def test_key_of_another_source_is_refused_unless_it_is_to_be_moved_there(environ):
    open_cache(environ).begin()
    environ |= {"LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": base64.b64encode(bytes(32)).decode()}
    with pytest.raises(KeyUnavailable):
        open_cache(environ)
    assert open_cache(environ, moving=True).ring.source == "file"
