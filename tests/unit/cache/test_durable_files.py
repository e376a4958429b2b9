"""Files that are written whole or not at all: room for them, what killed writers leave, and what is removed."""

import errno
import os
import sys
import time

import pytest

from lakekey.cache import durable_files, exchanged_names


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "an.entry")


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


def test_look_for_room_leaves_nothing(path, tmp_path):
    durable_files.try_room(path, 4096)
    assert list(tmp_path.iterdir()) == []


def test_look_for_room_leaves_nothing_under_a_mark_either(path, tmp_path):
    durable_files.try_room(path, 4096, mark=durable_files.new_mark())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_without_room_is_told_and_nothing_is_left(path, tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "write", refusing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        durable_files.try_room(path, 4096)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_is_found_to_be_full_as_the_file_is_closed_keeps_nothing(path, tmp_path, monkeypatch):
    close = os.close

    def refuse(descriptor):
        close(descriptor)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "close", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.EDQUOT)):
        durable_files.try_room(path, 4096)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_disk_that_has_a_part_of_the_room_has_none(path, tmp_path, monkeypatch):
    left, write = [3000], os.write

    def take(descriptor, content):
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = content[: left[0]]
        left[0] -= len(part)
        return write(descriptor, part)

    monkeypatch.setattr(os, "write", take)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        durable_files.try_room(path, 4096)
    assert list(tmp_path.iterdir()) == []


def test_as_much_room_is_looked_for_as_is_needed(path, monkeypatch):
    sizes, write = [], os.write
    monkeypatch.setattr(
        os, "write", lambda descriptor, content: sizes.append(len(content)) or write(descriptor, content)
    )
    durable_files.try_room(path, 4096)
    assert sum(sizes) == 4096


@pytest.mark.posix_owners
def test_unsynced_file_takes_its_name_without_a_rename_and_keeps_nothing_of_the_old_one(path, tmp_path, monkeypatch):
    durable_files.replace(path, b"old", synced=False)
    renamed, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda *names: renamed.append(names) or replace(*names))
    durable_files.replace(path, b"new", synced=False)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"new"]
    assert renamed == []
    durable_files.replace(path, b"synced")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"synced"]
    assert len(renamed) == 1


@pytest.mark.parametrize("synced", [True, False])
def test_directory_of_the_name_is_told_and_stays(path, tmp_path, synced):
    os.mkdir(path)
    with pytest.raises(OSError):
        durable_files.replace(path, b"new", synced=synced)
    assert [file.is_dir() for file in tmp_path.iterdir()] == [True]
    assert os.path.isdir(path)


def test_unsynced_file_is_renamed_where_python_has_no_foreign_functions(path, tmp_path, monkeypatch):
    durable_files.replace(path, b"old")
    exchanged_names._system_call.cache_clear()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ctypes", None)
        durable_files.replace(path, b"new", synced=False)
    exchanged_names._system_call.cache_clear()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"new"]


def test_unsynced_file_is_renamed_where__the_file_system_exchanges_no_names(path, tmp_path, monkeypatch):
    durable_files.replace(path, b"old")
    monkeypatch.setattr(exchanged_names, "_system_call", lambda: lambda *_: -1)
    durable_files.replace(path, b"new", synced=False)
    monkeypatch.setattr(exchanged_names, "_system_call", lambda: None)
    durable_files.replace(path, b"newer", synced=False)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"newer"]


def test_what_a_writer_that_was_killed_left_is_cleared_up_by_its_mark(path, tmp_path):
    left, other = (tmp_path / f"an.entry.{mark}.tmp" for mark in ("a-mark", "another"))
    left.write_text("half")
    other.write_text("half")
    durable_files.clear_up(path, "a-mark")
    durable_files.clear_up(path, "a-mark")
    assert list(tmp_path.iterdir()) == [other]


def test_two_writers_have_marks_of_their_own():
    first, second = durable_files.new_mark(), durable_files.new_mark()
    assert first != second
    assert first.startswith(f"{os.getpid()}.")


def test_temporary_files_are_swept_up_when_they_are_old_enough(tmp_path):
    now = time.time()
    old, young, entry = (tmp_path / name for name in ("a.x.tmp", "b.y.tmp", "c.entry"))
    for file, age in ((old, 20), (young, 5), (entry, 20)):
        file.write_text("")
        os.utime(file, (now - age, now - age))
    durable_files.sweep(str(tmp_path), now - 10)
    assert sorted(tmp_path.iterdir()) == [young, entry]
    durable_files.sweep(str(tmp_path / "nowhere"), now)


def test_file_that_is_not_there_is_removed_already(path):
    durable_files.replace(path, b"content")
    durable_files.remove(path)
    assert not os.path.exists(path)
    durable_files.remove(path)


def test_write_that_fails_leaves_the_old_content_and_no_temporary_file(path, tmp_path, monkeypatch):
    durable_files.replace(path, b"old")
    monkeypatch.setattr(os, "write", refusing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable_files.replace(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_content_that_is_taken_in_parts_is_written_whole(path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    durable_files.replace(path, b"0123456789")
    with open(path, "rb") as file:
        assert file.read() == b"0123456789"


def test_write_whose_temporary_file_is_taken_every_time_is_reported(path, tmp_path, monkeypatch):
    taken = []
    replace = os.replace

    def take(temporary, name):
        if len(taken) < often:
            taken.append(temporary)
            os.unlink(temporary)
        replace(temporary, name)

    monkeypatch.setattr(os, "replace", take)
    often = 4
    durable_files.replace(path, b"content")
    assert os.path.exists(path)
    often = 99
    with pytest.raises(FileNotFoundError):
        durable_files.replace(path, b"content")
    assert len(taken) == 4 + 5


@pytest.mark.parametrize("synced", [True, False])
def test_file_and_directory_reach_the_disk_where_that_is_asked_for(path, monkeypatch, caplog, synced):
    done = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(descriptor) or fsync(descriptor))
    durable_files.replace(path, b"content", synced=synced)
    assert len(done) == synced * (2 if os.name == "posix" else 1)
    done.clear()
    durable_files.replace(path, b"content")
    assert done
    done.clear()
    durable_files.remove(path)
    assert len(done) == (os.name == "posix")
    assert not caplog.records  # where a directory cannot be synced at all, that is no news


@pytest.mark.posix_owners
@pytest.mark.parametrize("mode", [0o600, 0o700])
def test_umask_takes_nothing_from_the_owner_and_gives_nothing_to_others(path, mode):
    before = os.umask(0o777)
    try:
        durable_files.replace(path, b"content", mode=mode)
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == mode
    before = os.umask(0)
    try:
        durable_files.replace(path, b"content", mode=mode)
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == mode


@pytest.mark.posix_owners
def test_young_link_to_an_old_file_stays(tmp_path):
    now = time.time()
    old, link = tmp_path / "old", tmp_path / "a.x.tmp"
    old.write_text("")
    os.utime(old, (now - 20, now - 20))
    link.symlink_to(old)
    durable_files.sweep(str(tmp_path), now - 10)
    assert link.is_symlink()


@pytest.mark.proc
@pytest.mark.posix_owners
def test_writing_leaves_no_descriptor_open(path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        durable_files.replace(path, b"content")
    assert len(os.listdir("/proc/self/fd")) < before + 20


@pytest.mark.proc
@pytest.mark.posix_owners
def test_file_whose_mode_cannot_be_looked_at_is_closed_and_removed(path, tmp_path, monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fstat", refusing(errno.EIO))
        for _ in range(20):
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                durable_files.replace(path, b"content")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) < before + 20


@pytest.mark.proc
@pytest.mark.posix_owners
def test_directory_that_cannot_be_synced_is_told_once_with_the_kind_of_error(path, monkeypatch, caplog):
    real = os.fsync

    def only_files(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise InterruptedError
        real(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    for _ in range(2):
        durable_files.replace(path, b"content")
    assert caplog.text.count(f"{os.path.dirname(path)} cannot be synced (InterruptedError)") == 1


@pytest.mark.posix_owners
def test_files_are_their_owners_only_from_the_start(path, monkeypatch):
    original, modes = os.open, set()

    def noting(name, flags, mode=0o777, **options):
        modes.add(mode if flags & os.O_CREAT else 0o600)
        return original(name, flags, mode, **options)

    monkeypatch.setattr(os, "open", noting)
    durable_files.replace(path, b"content")
    durable_files.try_room(path, 10)
    assert modes == {0o600}
