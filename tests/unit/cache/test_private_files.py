"""Private files: what the operating system denies for a moment, and what another user may have put in the way."""

import errno
import os
import sys
import time

import pytest

from lakekey._imports import commands
from lakekey.cache import durable_files, private_files
from lakekey.cache.stores.file_lock import write_failed
from lakekey.errors import UnsafeCache

_MOMENT = 0.1


@pytest.fixture
def path(tmp_path):
    os.chmod(tmp_path, 0o700)
    path = str(tmp_path / "file")
    durable_files.replace(path, b"before")
    return path


def test_content_is_kept_byte_for_byte(path):
    content = bytes(range(256)) + b"\n\r\n\x1a\n"  # line ends and an end of text, as Windows reads and writes text
    durable_files.replace(path, content)
    assert private_files.read(path) == content
    assert private_files.read_given(path) == content


def deny(monkeypatch, call, code, *, ending="file", seconds=_MOMENT):
    """Lets a call of the operating system fail for a while on paths with an ending, as Windows does."""
    real, until = getattr(os, call), time.monotonic() + seconds

    def denied(*arguments, **options):
        if str(arguments[-1] if call == "replace" else arguments[0]).endswith(ending) and time.monotonic() < until:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, denied)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE, errno.EINTR], ids=["EACCES", "ESTALE", "EINTR"])
def test_replacing_outlasts_a_denial_for_a_moment(path, monkeypatch, code):
    deny(monkeypatch, "replace", code)
    durable_files.replace(path, b"after")
    assert private_files.read(path) == b"after"


@pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE, errno.EMFILE, errno.ENFILE])
def test_reading_outlasts_a_denial_for_a_moment(path, monkeypatch, code):
    deny(monkeypatch, "open", code)
    assert private_files.read(path) == b"before"


def fail_once(monkeypatch, module, call, code, *, which=lambda *_: True):
    """Lets one call of the operating system fail, with what it was to do done where that is a close."""
    real, left = getattr(module, call), [OSError(code, os.strerror(code))]

    def fails_once(*arguments, **options):
        if left and which(*arguments):
            if call == "close":
                real(*arguments)
            raise left.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(module, call, fails_once)
    return left


def test_file_replaced_during_a_read_is_opened_again(path, monkeypatch):
    left = fail_once(monkeypatch, os, "read", errno.ESTALE)
    assert private_files.read(path) == b"before"
    assert left == []


@pytest.mark.parametrize("read", [private_files.read, private_files.read_given])
@pytest.mark.parametrize(("call", "code"), [("open", errno.ENOENT), ("open", errno.EIO), ("read", errno.EIO)])
def test_one_look_that_finds_nothing_or_a_failing_disk_is_not_the_truth(path, monkeypatch, read, call, code):
    left = fail_once(monkeypatch, os, call, code)
    assert read(path) == b"before"
    assert not left or call == "open"  # which is another call on Windows


def test_what_is_not_there_and_a_disk_that_fails_are_reported(path, monkeypatch):
    for read in (private_files.read, private_files.read_given):
        with pytest.raises(FileNotFoundError):
            read(path + "-that-is-not-there")
        with monkeypatch.context() as patch:
            for _ in range(2):
                fail_once(patch, os, "read", errno.EIO)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                read(path)


@pytest.mark.parametrize("call", ["write", "fsync", "fstat", "close"])
@pytest.mark.parametrize("code", [errno.ESTALE, errno.EINTR])
def test_write_whose_step_fails_for_a_moment_is_made_again_as_a_whole(path, tmp_path, monkeypatch, call, code):
    if call == "fstat" and os.name != "posix":
        call = "write"  # no modes are looked at there
    left = fail_once(monkeypatch, os, call, code)
    durable_files.replace(path, b"after")
    assert left == []
    assert private_files.read(path) == b"after"
    assert os.listdir(tmp_path) == ["file"]


def test_look_for_room_outlasts_a_step_that_fails_for_a_moment(path, tmp_path, monkeypatch):
    left = fail_once(monkeypatch, os, "write", errno.ESTALE)
    durable_files.try_room(path, 100)
    assert left == []
    assert os.listdir(tmp_path) == ["file"]


def test_removing_outlasts_a_denial_for_a_moment(path, monkeypatch):
    deny(monkeypatch, "unlink", errno.EACCES)
    durable_files.remove(path)
    assert not os.path.exists(path)


def test_temporary_file_is_made_when_descriptors_are_free_again(path, monkeypatch):
    deny(monkeypatch, "open", errno.EMFILE, ending=".tmp")
    durable_files.replace(path, b"after")
    assert private_files.read(path) == b"after"


def test_denial_that_lasts_is_raised_and_the_old_content_stays(path, tmp_path, monkeypatch):
    deny(monkeypatch, "replace", errno.EACCES, seconds=60)
    with pytest.raises(PermissionError):
        durable_files.replace(path, b"after", patience=_MOMENT)
    assert private_files.read(path) == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_file_in_use_on_windows_is_waited_for_longer_than_a_denied_one():
    in_use = OSError(errno.EACCES, "The process cannot access the file")
    in_use.winerror = 32
    tries = []

    def call():
        tries.append(time.monotonic())
        if tries[-1] < tries[0] + 3 * _MOMENT:
            raise in_use
        return "content"

    assert private_files.patiently(call, patience=_MOMENT) == "content"
    in_use.winerror = 5
    tries.clear()
    with pytest.raises(OSError, match="cannot access"):
        private_files.patiently(call, patience=_MOMENT, denied=True)


def test_full_disk_is_not_waited_for(path, monkeypatch):
    deny(monkeypatch, "replace", errno.ENOSPC, seconds=60)
    began = time.monotonic()
    with pytest.raises(OSError, match="No space"):
        durable_files.replace(path, b"after")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("call", ["replace", "remove"])
@pytest.mark.posix_owners
def test_directory_that_cannot_be_synced_loses_nothing(path, tmp_path, monkeypatch, caplog, call):
    real = os.fsync

    def only_files(descriptor):
        if os.path.samestat(os.fstat(descriptor), os.stat(tmp_path)):
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    if call == "replace":
        durable_files.replace(path, b"after")
        assert private_files.read(path) == b"after"
    else:
        durable_files.remove(path)
        assert not os.path.exists(path)
    assert "cannot be synced" in caplog.text


def test_content_reaches_the_disk_before_the_file_has_its_name(path, monkeypatch):
    synced, real = [], os.fsync

    def noted(descriptor):
        real(descriptor)
        synced.append((os.fstat(descriptor).st_size, private_files.read(path)))

    monkeypatch.setattr(os, "fsync", noted)
    content = b"after, and longer"
    durable_files.replace(path, content)
    assert synced[0] == (len(content), b"before")
    assert [read for _, read in synced[1:]] == ([content] if os.name == "posix" else [])  # of the directory


@pytest.mark.posix_owners
def test_name_reaches_the_disk_before_a_write_returns(path, tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def noted(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    durable_files.replace(path, b"after")
    assert synced == [os.stat(path).st_ino, os.stat(tmp_path).st_ino]
    durable_files.remove(path)
    assert synced[2:] == [os.stat(tmp_path).st_ino]


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_remedy_for_full_descriptor_tables_is_not_to_look_at_the_file(path, code):
    assert "close files" in private_files.remedy(path, OSError(code, ""))
    assert path in private_files.remedy(path, OSError(errno.EIO, ""))


def test_remedy_for_a_limit_on_the_size_of_files_is_to_raise_it(path):
    error = OSError(errno.EFBIG, "")
    assert private_files.remedy(path, error) == write_failed(path, error).hint
    assert private_files.remedy(path, error).endswith("(ulimit -f)")


@pytest.mark.parametrize("code", sorted({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}))
def test_remedy_for_a_full_disk_looks_at_the_directory_that_is_there(tmp_path, code):
    path, room = str(tmp_path / "made" / "later"), commands().free_space(str(tmp_path))
    assert private_files.remedy(path, OSError(code, "")) == f"free some room: {room}"
    assert write_failed(path, OSError(code, "")).hint.endswith(f": {room}")


def test_file_that_stays_in_use_is_to_be_closed_elsewhere(path):
    error = PermissionError(errno.EACCES, "The process cannot access the file")
    error.winerror = 32
    close = "close the program that has this file open, then try again"
    assert private_files.remedy(path, error) == close
    assert write_failed(path, error).hint == close


def test_link_that_appears_after_the_look_is_not_followed(path, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_bytes(b"another file")
    os.chmod(secret, 0o600)
    os.unlink(path)
    os.symlink(secret, path)
    monkeypatch.setattr(os.path, "islink", lambda _path: False)  # it was not there yet when we looked
    with pytest.raises((UnsafeCache, OSError)):
        private_files.read(path)


def test_temporary_name_that_is_taken_is_not_written_through(path, tmp_path):
    taken = tmp_path / "file.4711.abc.tmp"
    other = tmp_path / "other"
    other.write_bytes(b"kept")
    os.link(other, taken)
    durable_files.replace(path, b"after", mark="4711.abc")
    assert other.read_bytes() == b"kept"
    assert private_files.read(path) == b"after"
    assert not taken.exists()


def test_file_of_any_size_costs_a_bounded_read(path):
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    assert len(private_files.read(path)) <= 2 * private_files._MOST + 2


@pytest.mark.posix_owners
@pytest.mark.parametrize("offered", [True, False], ids=["offered", "refused"])
def test_file_is_synced_past_the_drives_cache_on_macos(tmp_path, monkeypatch, offered):
    fcntl = pytest.importorskip("fcntl")
    asked, synced = [], []

    def control(descriptor, command):
        asked.append(command)
        if not offered:
            raise OSError(errno.ENOTSUP, "Operation not supported")

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), fsync(descriptor)))
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(sys, "platform", "darwin")
    durable_files.replace(str(tmp_path / "file"), b"text")
    assert asked == [51, 51]  # the file, and the directory with its name
    assert len(synced) == (0 if offered else 2)


def test_call_that_goes_on_failing_is_made_with_pauses_in_between():
    tries = []

    def call():
        tries.append(None)
        raise InterruptedError(errno.EINTR, "interrupted")

    with pytest.raises(InterruptedError):
        private_files.patiently(call, patience=_MOMENT)
    assert len(tries) < 20


@pytest.mark.proc
@pytest.mark.parametrize("read", [private_files.read, private_files.read_given])
def test_reading_leaves_no_descriptor_open(path, read):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        read(path)
    assert len(os.listdir("/proc/self/fd")) < before + 20


# Files that another user has given us


@pytest.mark.posix_owners
@pytest.mark.parametrize(
    ("owner", "mode", "wrong"),
    [
        ("root", 0o600, None),
        ("root", 0o644, None),
        ("root", 0o755, None),
        ("root", 0o664, "can be changed by other users"),
        ("root", 0o646, "can be changed by other users"),
        ("me", 0o600, None),
        ("me", 0o700, None),
        ("me", 0o620, "can be changed by other users"),
        ("me", 0o640, "can be read by other users"),
        ("me", 0o604, "can be read by other users"),
        ("another", 0o600, "belongs to user 4712"),
        ("another", 0o644, "belongs to user 4712"),
    ],
)
def test_given_file_is_read_where_no_other_user_can_change_it(path, monkeypatch, owner, mode, wrong):
    me, fstat = os.geteuid() or 4711, os.fstat
    number = {"root": 0, "me": me, "another": 4712}[owner]

    def owned(descriptor):
        status = fstat(descriptor)
        return os.stat_result((status.st_mode, *status[1:4], number, *status[5:]))

    os.chmod(path, mode)
    monkeypatch.setattr(os, "geteuid", lambda: me)
    monkeypatch.setattr(os, "fstat", owned)
    if wrong is None:
        assert private_files.read_given(path) == b"before"
    else:
        with pytest.raises(UnsafeCache, match=wrong):
            private_files.read_given(path)


@pytest.mark.posix_owners
def test_given_file_that_is_swapped_between_look_and_opening_is_read_from_its_new_place(path, tmp_path, monkeypatch):
    given, real = tmp_path / "given", os.open
    given.symlink_to("file")

    def swapped(name, *arguments):
        monkeypatch.setattr(os, "open", real)
        os.rename(path, f"{path}-2")
        given.unlink()
        given.symlink_to("file-2")
        return real(name, *arguments)

    monkeypatch.setattr(os, "open", swapped)
    assert private_files.read_given(str(given)) == b"before"


@pytest.mark.posix_owners
def test_given_link_that_leads_nowhere_is_a_file_that_is_not_there(tmp_path):
    os.chmod(tmp_path, 0o700)
    (tmp_path / "given").symlink_to("nothing")
    with pytest.raises(FileNotFoundError):
        private_files.read_given(str(tmp_path / "given"))


@pytest.mark.posix_owners
@pytest.mark.parametrize("path", ["/", "/usr", "/usr/share/doc", "/etc/passwd", "/dev/null", "/dev/stdin"])
def test_nothing_of_the_system_is_to_be_closed_or_moved_away(path):
    with pytest.raises(UnsafeCache) as caught:
        private_files.ensure_directory(path, parents=False)
    assert caught.value.hint.startswith("set LAKEKEY_CACHE_DIR to a directory of your own")


def step_for_open_directory(place):
    with pytest.raises(UnsafeCache, match="is open to other users") as caught:
        private_files.ensure_directory(str(place), parents=False)
    return caught.value.hint


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "lakekey"
    place.mkdir()
    place.chmod(0o777)
    return place


@pytest.mark.posix_owners
@pytest.mark.parametrize(
    ("held", "mode", "closing"),
    [
        (None, 0, False),
        ("notes.txt", 0o700, False),
        ("entries", 0o700, True),
        ("entries", 0o755, False),
        ("cache.json", 0o700, False),  # a directory, which any user may have made
    ],
)
def test_directory_outside_the_home_is_to_be_closed_where_it_plainly_holds_a_cache(place, held, mode, closing):
    if held:
        (place / held).mkdir()
        (place / held).chmod(mode)
    assert step_for_open_directory(place).startswith(f"chmod 700 {place}" if closing else "set LAKEKEY_CACHE_DIR to")


@pytest.mark.posix_owners
@pytest.mark.parametrize(("held", "closing"), [(None, True), ("notes.txt", False), ("entries", True)])
def test_directory_in_the_home_is_to_be_closed_where_it_is_for_the_cache_alone(place, monkeypatch, held, closing):
    monkeypatch.setenv("HOME", str(place.parent))
    if held:
        (place / held).mkdir()
    assert step_for_open_directory(place).startswith(f"chmod 700 {place}" if closing else "set LAKEKEY_CACHE_DIR to")


@pytest.mark.posix_owners
@pytest.mark.parametrize(("mode", "closing"), [(0o700, True), (0o755, False)])
def test_directory_of_another_name_is_to_be_closed_where_what_it_holds_is_closed(place, monkeypatch, mode, closing):
    monkeypatch.setenv("HOME", str(place.parent))
    place = place.rename(place.parent / "public_html")
    (place / "entries").mkdir()
    (place / "entries").chmod(mode)
    assert step_for_open_directory(place).startswith(f"chmod 700 {place}" if closing else "set LAKEKEY_CACHE_DIR to")


@pytest.mark.posix_owners
@pytest.mark.parametrize(("mode", "owner", "closing"), [(0o700, 0, True), (0o755, 0, False), (0o700, 1, False)])
def test_directory_of_the_entries_is_to_be_closed_where_no_other_user_could_have_put_it(
    place, monkeypatch, mode, owner, closing
):
    entries = place / "entries"
    entries.mkdir()
    entries.chmod(0o777)
    place.chmod(mode)
    look = os.lstat

    def lstat(path):
        found = look(path)
        theirs = os.stat_result((*found[:4], found.st_uid + owner, *found[5:]))
        return theirs if str(path) == str(place) else found

    monkeypatch.setattr(os, "lstat", lstat)
    assert step_for_open_directory(entries).startswith(
        f"chmod 700 {entries}" if closing else "set LAKEKEY_CACHE_DIR to"
    )


@pytest.mark.posix_owners
def test_directory_that_cannot_be_listed_is_not_to_be_closed(place, monkeypatch):
    def listdir(_):
        raise PermissionError

    monkeypatch.setenv("HOME", str(place.parent))
    monkeypatch.setattr(os, "listdir", listdir)
    assert step_for_open_directory(place).startswith("set LAKEKEY_CACHE_DIR to")


@pytest.mark.posix_owners
def test_what_a_process_makes_belongs_to_its_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert private_files.owner() == 7


@pytest.mark.posix_owners
@pytest.mark.parametrize("kind", ["sticky", "mount", "home"])
def test_shared_directory_is_never_to_be_closed(place, monkeypatch, kind):
    monkeypatch.setenv("HOME", str(place if kind == "home" else place.parent))
    if kind != "home":
        (place / "entries").mkdir(mode=0o700)
    place.chmod(0o1777 if kind == "sticky" else 0o777)
    monkeypatch.setattr(os.path, "ismount", lambda path: kind == "mount" and path == str(place))
    assert step_for_open_directory(place).startswith("set LAKEKEY_CACHE_DIR to")


@pytest.mark.posix_owners
@pytest.mark.parametrize("in_home", [True, False])
@pytest.mark.parametrize("link", [True, False])
def test_link_or_file_in_the_place_of_the_default_cache_is_to_be_moved_away(tmp_path, monkeypatch, link, in_home):
    place = tmp_path / "lakekey"
    place.symlink_to(tmp_path) if link else place.touch()
    monkeypatch.setenv("HOME", str(tmp_path if in_home else tmp_path / "home"))
    with pytest.raises(UnsafeCache) as caught:
        private_files.ensure_directory(str(place), parents=False)
    assert caught.value.hint.startswith("move it away: mv " if in_home else "set LAKEKEY_CACHE_DIR to")


def test_directory_is_made_where_that_is_not_forbidden(tmp_path):
    place = tmp_path / "a" / "b"
    with pytest.raises(FileNotFoundError):
        private_files.ensure_directory(str(place), create=False, parents=False)
    assert not place.parent.exists()
    private_files.ensure_directory(str(place), parents=False)
    private_files.ensure_directory(str(place), create=False, parents=False)
    assert place.is_dir()
