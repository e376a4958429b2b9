"""The file store."""

import errno
import os
import shutil
import stat
import time

import pytest

from lakekey.cache import durable_files, private_files
from lakekey.cache.stores.file import _GIVEN_UP, FileStore
from lakekey.errors import CacheError, CacheWriteFailed, LockTimeout, UnsafeCache

NAME, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "state" / "lakekey"


@pytest.fixture
def store(directory):
    store = FileStore(str(directory))
    store.prepare()
    return store


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_is_put_is_got(store):
    assert store.get(NAME) is None
    assert store.put(NAME, b"first", replaces=None)
    assert store.get(NAME) == b"first"
    assert store.list() == [NAME]


def test_only_the_bytes_that_are_there_are_replaced(store):
    store.put(NAME, b"first", replaces=None)
    assert not store.put(NAME, b"second", replaces=None)
    assert not store.put(NAME, b"second", replaces=b"older")
    assert store.get(NAME) == b"first"
    assert store.put(NAME, b"second", replaces=b"first")
    assert store.get(NAME) == b"second"


def test_only_the_bytes_that_are_there_are_deleted(store):
    store.put(NAME, b"first", replaces=None)
    assert not store.delete(NAME, replaces=b"older")
    assert store.delete(NAME, replaces=b"first")
    assert (store.get(NAME), store.list()) == (None, [])


@pytest.mark.parametrize("tick", [100, 2 * 10**9], ids=["100 ns", "2 s"])
def test_replaced_bytes_are_read_where_the_time_and_size_of_the_file_stay(store, directory, tick):
    store.put(NAME, b"first", replaces=None)
    path = directory / "entries" / f"{NAME}.entry"
    at = time.time_ns() // tick * tick
    os.utime(path, ns=(at, at))
    assert store.get(NAME) == b"first"
    store.put(NAME, b"other", replaces=b"first")
    os.utime(path, ns=(at, at))
    assert path.stat().st_mtime_ns == at
    assert store.get(NAME) == b"other"
    assert not store.delete(NAME, replaces=b"first")


@pytest.mark.parametrize("tick", [100, 2 * 10**9], ids=["100 ns", "2 s"])
def test_only_what_was_given_up_is_swept_up_whatever_the_tick_of_file_times(store, directory, tick):
    left = {directory / "entries" / f"{name}.entry.tmp": age for name, age in ((NAME, 5.0), (OTHER, -5.0))}
    for path, more in left.items():
        path.write_bytes(b"half an entry")
        at = int((time.time() - _GIVEN_UP - more) * 1e9) // tick * tick
        os.utime(path, ns=(at, at))
        assert path.stat().st_mtime_ns == at
    store.list()
    assert [path.exists() for path in left] == [False, True]


def test_a_bad_entry_is_set_aside_and_loses_only_itself(store):
    store.put(NAME, b"bad", replaces=None)
    store.put(OTHER, b"good", replaces=None)
    aside = store.set_aside(NAME, b"bad")
    with open(aside, "rb") as file:
        assert file.read() == b"bad"
    assert (store.get(NAME), store.get(OTHER), store.list()) == (None, b"good", [OTHER])


def test_an_entry_that_was_replaced_meanwhile_is_not_set_aside(store):
    store.put(NAME, b"good", replaces=None)
    assert store.set_aside(NAME, b"bad") is None
    assert store.get(NAME) == b"good"


@pytest.mark.posix_owners
def test_look_at_a_directory_makes_nothing_and_refuses_one_that_others_may_enter(store, directory, tmp_path):
    FileStore(str(tmp_path / "missing")).check()
    assert not (tmp_path / "missing").exists()
    store.check()
    (directory / "entries").chmod(0o755)
    with pytest.raises(UnsafeCache):
        store.check()


def test_entry_is_stored_where_the_directory_was_taken_away(store, directory):
    shutil.rmtree(directory)
    assert store.put(NAME, b"sealed", replaces=None)
    assert store.get(NAME) == b"sealed"


@pytest.mark.parametrize(
    ("error", "reason"), [(OSError(errno.EIO, "the disk's reason"), "the disk's reason"), (OSError(), "OSError")]
)
def test_entry_that_cannot_be_read_is_an_error_with_the_systems_reason(store, monkeypatch, error, reason):
    def refuse(_):
        raise error

    monkeypatch.setattr(private_files, "read", refuse)
    with pytest.raises(CacheError) as caught:
        store.get(NAME)
    assert caught.value.message.endswith(f"cannot be read: {reason}")


def test_lock_that_is_held_is_neither_lost_nor_abandoned(store):
    with store.lock(NAME):
        assert store.still_locked(NAME)
        assert not store.is_abandoned(NAME)


def test_setting_up_makes_the_directory(directory):
    FileStore(str(directory)).set_up()
    assert (directory / "entries").is_dir()


def test_temporary_file_has_the_mark_of_the_lock_that_is_held(store, monkeypatch):
    names, real = [], os.replace
    monkeypatch.setattr(os, "replace", lambda temporary, path: (names.append(temporary), real(temporary, path)))
    with store.lock(NAME):
        store.put(NAME, b"sealed", replaces=None)
        assert store._locks.mark(NAME) in names[0]


@pytest.mark.posix_owners
def test_what_lies_above_the_directory_is_checked_once(store, directory, monkeypatch):
    checked = []
    monkeypatch.setattr(private_files.safe_path, "check_parents", checked.append)
    store.prepare()
    assert checked == [str(directory)]


def test_write_outlasts_a_loss_of_power_unless_its_caller_says_otherwise(store, monkeypatch):
    synced, replace = [], durable_files.replace

    def noted(*arguments, **how):
        synced.append(how["synced"])
        replace(*arguments, **how)

    monkeypatch.setattr(durable_files, "replace", noted)
    assert store.put(NAME, b"one", replaces=None)
    assert store.put(NAME, b"two", replaces=b"one", synced=False)
    assert synced == [True, False]


def test_lock_is_to_write_under_unless_its_caller_says_otherwise(store, monkeypatch):
    def full(*_):
        raise CacheWriteFailed("no room")

    monkeypatch.setattr(store._locks, "_find_room", full)
    with pytest.raises(CacheWriteFailed, match="no room"), store.lock(NAME):
        pytest.fail("there is no room to write")
    with store.lock(NAME, to_write=False) as held:
        assert held


def test_bad_entry_that_is_in_use_for_a_moment_is_set_aside_after_it(store, monkeypatch):
    store.put(NAME, b"bad", replaces=None)
    replace, denials = os.replace, [PermissionError(errno.EACCES, "denied")]

    def denied_once(source, target):
        if str(target).endswith(".bad") and denials:
            raise denials.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", denied_once)
    assert store.set_aside(NAME, b"bad")
    assert (denials, store.get(NAME)) == ([], None)


@pytest.mark.posix_owners
def test_entry_that_must_not_be_read_is_set_aside_unread_and_one_that_can_be_stays(store, directory):
    path = directory / "entries" / f"{NAME}.entry"
    assert store.set_aside(NAME, None) is None, "there is none"
    store.put(NAME, b"sealed", replaces=None)
    assert store.set_aside(NAME, None) is None
    path.chmod(0o640)
    assert store.set_aside(NAME, None) == str(path.with_suffix(".bad"))
    assert not path.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.posix_owners
def test_directories_and_files_are_their_owners_from_the_start(directory, umask, monkeypatch):
    opened = []
    original = os.open

    def noting(path, flags, mode=0o777, **options):
        descriptor = original(path, flags, mode, **options)
        if flags & os.O_CREAT:
            opened.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    before = os.umask(umask)
    try:
        monkeypatch.setattr(os, "open", noting)
        store = FileStore(str(directory))
        store.prepare()
        with store.lock(NAME):
            store.put(NAME, b"sealed", replaces=None)
    finally:
        os.umask(before)
    assert set(opened) == {0o600}  # at the moment of their creation, not afterwards
    assert mode(directory) == mode(directory / "entries") == mode(directory.parent) == 0o700
    assert {mode(path) for path in (directory / "entries").iterdir()} == {0o600}


def test_a_write_leaves_no_temporary_file(store, directory):
    store.put(NAME, b"first", replaces=None)
    store.put(NAME, b"second", replaces=b"first")
    assert [path.name for path in (directory / "entries").iterdir()] == [f"{NAME}.entry"]


def test_one_holds_the_lock_and_another_is_told_so_at_once(store, directory):
    with store.lock(NAME) as first, FileStore(str(directory)).lock(NAME) as second, store.lock(OTHER) as other:
        assert (first, second, other) == (True, False, True)
        assert store.holder(NAME) == f"process {os.getpid()}"
    with store.lock(NAME) as again:
        assert again


@pytest.mark.posix_owners
def test_a_directory_that_others_may_enter_is_refused(directory, store):
    os.chmod(directory, 0o755)
    with pytest.raises(UnsafeCache) as caught:
        store.prepare()
    assert caught.value.hint == f"chmod 700 {directory}"


@pytest.mark.posix_owners
def test_a_directory_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeCache):
        FileStore(str(tmp_path / "link")).prepare()


@pytest.mark.posix_owners
def test_an_entry_that_is_a_link_is_refused(store, directory, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"planted")
    (directory / "entries" / f"{NAME}.entry").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeCache, match="symbolic link"):
        store.get(NAME)


@pytest.mark.posix_owners
def test_an_entry_that_others_may_read_is_refused(store, directory):
    store.put(NAME, b"sealed", replaces=None)
    os.chmod(directory / "entries" / f"{NAME}.entry", 0o640)
    with pytest.raises(UnsafeCache, match="other users"):
        store.get(NAME)


def test_a_place_where_nothing_can_be_made_is_a_failed_write(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheWriteFailed) as caught:
        FileStore(str(tmp_path / "file" / "cache")).prepare()
    assert "LAKEKEY_CACHE_DIR" in caught.value.hint


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.fork
def test_forked_child_writes_under_a_mark_of_its_own(store, directory, monkeypatch):
    """The next holder removes what the parent's mark names, which must not be a file that the child writes."""
    with store.lock(NAME):
        mine = (directory / "entries" / f"{NAME}.holder").read_text()
        names, parent = os.pipe(), os.getpid()
        original = os.replace

        def noting(temporary, path):
            if os.getpid() != parent:
                os.write(names[1], os.path.basename(temporary).encode())
            original(temporary, path)

        monkeypatch.setattr(os, "replace", noting)
        child = os.fork()
        if child == 0:
            store.put(NAME, b"sealed", replaces=None)
            os._exit(0)
        os.waitpid(child, 0)
    temporary = os.read(names[0], 1000).decode()
    assert temporary.startswith(NAME)
    assert mine not in temporary
    for end in names:
        os.close(end)


def test_change_of_the_key_by_another_is_waited_for_and_given_up(store, directory):
    other = FileStore(str(directory))
    tries = store._locks.key(store.note_place("cache.lock"), patience=0.1)
    holds, fails = other.changing_key(), pytest.raises(LockTimeout, match="another process has been changing the key")
    with holds, fails, tries:
        pass
    with store.changing_key():
        pass


@pytest.mark.posix_locks
@pytest.mark.parametrize("code", [errno.EINTR, errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("call", ["flock", "close"])
def test_lock_that_cannot_be_left_at_first_costs_nothing_that_was_done_under_it(store, monkeypatch, call, code):
    import fcntl

    module, failed = (fcntl if call == "flock" else os), []
    real = getattr(module, call)

    def fails_at_first(descriptor, *operation):
        if (call == "close" or not failed) and operation in ((fcntl.LOCK_UN,), ()):
            failed.append(call)
            if call == "close":
                real(descriptor)
            raise OSError(code, os.strerror(code))
        return real(descriptor, *operation)

    with store.lock(NAME) as held:
        assert held
        assert store.put(NAME, b"first", replaces=None)
        monkeypatch.setattr(module, call, fails_at_first)
    monkeypatch.undo()
    assert failed
    with store.lock(NAME) as held:
        assert held
