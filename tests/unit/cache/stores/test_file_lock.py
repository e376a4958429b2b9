"""The locks of the file store: what is held and what not, and what is looked for before a write."""

import errno
import os
import shutil
import stat

import pytest

from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.file_lock import write_failed
from lakekey.errors import CacheWriteFailed

NAME = "a" * 64


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "lakekey"


@pytest.fixture
def store(directory):
    store = FileStore(str(directory))
    store.prepare()
    return store


def test_bad_entry_stays_where_it_is_while_another_session_holds_its_lock(store, directory):
    with store.lock(NAME):
        store.put(NAME, b"bad", replaces=None)
    with FileStore(str(directory)).lock(NAME):
        assert store.set_aside(NAME, b"bad") is None
    assert store.get(NAME) == b"bad"


@pytest.mark.posix_owners
def test_lock_in_a_directory_that_was_taken_away_makes_it_for_its_owner_only(store, directory):
    shutil.rmtree(directory)
    with store.lock(NAME) as held:
        assert held
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "entries")] == [0o700, 0o700]


@pytest.mark.posix_owners
def test_file_of_the_keys_lock_is_its_owners_only(store, directory):
    before = set(directory.iterdir())
    with store.changing_key():
        made = set(directory.iterdir()) - before
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


def test_disk_that_fills_up_is_found_by_the_lock_that_is_to_write_only(store, directory, monkeypatch):
    write = os.write

    def refuse(descriptor, content):
        if len(content) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(CacheWriteFailed, match=os.strerror(errno.ENOSPC)), store.lock(NAME, to_write=True):
        pytest.fail("there was room")
    with store.lock(NAME, to_write=False) as held:
        assert held


def test_refused_write_names_what_the_system_said_or_else_the_kind_of_error():
    assert "Permission denied" in write_failed("/c/x", PermissionError(errno.EACCES, "Permission denied")).message
    assert write_failed("/c/x", TimeoutError()).message.endswith("TimeoutError")


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM])
def test_directory_that_cannot_be_written_to_is_to_be_another(code):
    assert write_failed("/c/x", OSError(code, "")).hint.startswith("set LAKEKEY_CACHE_DIR")


def test_full_disk_is_to_be_freed():
    assert write_failed("/c/x", OSError(errno.ENOSPC, "")).hint.startswith("free or fix that place")
