"""The locks of the file store: what is held and what not, and what is looked for before a write."""

import errno
import os
import shutil
import stat
import threading

import pytest

from lakekey.cache import durable_files
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


def test_entry_is_set_aside_by_the_thread_that_holds_its_lock_and_by_no_other(store):
    aside = []
    with store.lock(NAME):
        store.put(NAME, b"bad", replaces=None)
        other = threading.Thread(target=lambda: aside.append(store.set_aside(NAME, b"bad")))
        other.start()
        other.join()
        assert aside == [None]
        assert store.set_aside(NAME, b"bad") is not None


def test_temporary_files_are_marked_as_the_note_of_the_lock_says_while_it_is_held(store, directory):
    assert store._locks.mark(NAME) is None
    with store.lock(NAME):
        assert (directory / "entries" / f"{NAME}.holder").read_text() == store._locks.mark(NAME)
    assert store._locks.mark(NAME) is None


def test_what_the_last_holder_was_killed_over_is_removed_by_the_next_one(store, directory):
    left = []
    with store.lock(NAME):
        for mark in (store._locks.mark(NAME), durable_files.new_mark()):
            left.append(directory / "entries" / f"{NAME}.entry.{mark}.tmp")
            left[-1].write_bytes(b"half an entry")
    with store.lock(NAME):
        assert [path.exists() for path in left] == [False, True]


@pytest.mark.posix_locks
@pytest.mark.parametrize(
    ("error", "reason"), [(OSError(errno.EIO, os.strerror(errno.EIO)), os.strerror(errno.EIO)), (OSError(), "OSError")]
)
def test_lock_that_cannot_be_left_is_told(store, monkeypatch, caplog, error, reason):
    import fcntl

    real = fcntl.flock

    def refuse(descriptor, operation):
        if operation == fcntl.LOCK_UN:
            raise error
        real(descriptor, operation)

    with store.lock(NAME):
        monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.undo()
    assert f"{NAME}.lock cannot be unlocked: {reason}" in caplog.text


@pytest.mark.posix_owners
@pytest.mark.parametrize("lock", [lambda store: store.lock(NAME), FileStore.changing_key], ids=["entry", "key"])
def test_lock_in_a_directory_that_was_taken_away_makes_it_for_its_owner_only(store, directory, lock):
    shutil.rmtree(directory)
    with lock(store) as held:
        assert held is not False
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


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.EFBIG])
def test_limit_of_the_program_is_to_be_raised(code):
    assert "ulimit" in write_failed("/c/x", OSError(code, "")).hint
