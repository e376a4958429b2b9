"""The line before a lock: one process is first, and it ends with that process."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from lakekey.cache.stores.lock_line import LockLine

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

FIRST = """
import os, sys
from lakekey.cache.stores.lock_line import LockLine
line = LockLine(sys.argv[1])
with line.is_first() as first:
    line.note(f"{os.getpid()}.0123456789ab")
    if len(sys.argv) > 2 and os.fork() == 0:
        os.close(1)
        os.read(0, 1)  # lives until it is told to end
        os._exit(0)
    print(first, flush=True)
    os.read(0, 1)
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "line")


@contextmanager
def sibling(path, *more):
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FIRST, path, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().strip() == b"True"
        yield process


def is_first(path):
    with LockLine(path).is_first() as first:
        return first


@pytest.mark.posix_locks
def test_one_process_is_first_and_the_others_learn_who(path):
    with sibling(path) as process:
        assert not is_first(path)
        assert LockLine(path).holder() == f"process {process.pid}"
        process.stdin.close()
    assert is_first(path)


@pytest.mark.fork
def test_the_death_of_the_first_makes_room_whatever_it_has_forked(path):
    with sibling(path, "forks") as process:
        assert not is_first(path)
        process.kill()
        process.wait()
        assert is_first(path)  # its child, which lives, has not inherited the place


def test_the_next_learns_the_mark_of_the_one_before(path):
    with sibling(path) as process:
        process.kill()
    line = LockLine(path)
    with line.is_first():
        assert line.last_mark() == f"{process.pid}.0123456789ab"
        line.note("4711.ba9876543210")
        assert line.last_mark() == "4711.ba9876543210"


@pytest.mark.parametrize("note", [b"", b"4711", b"../../x.y", b"1.../..", b"\xff.ab"])
def test_note_that_is_not_a_mark_is_ignored(path, tmp_path, note):
    (tmp_path / "line").write_bytes(note)
    line = LockLine(path)
    with line.is_first():
        assert line.last_mark() is None


@pytest.mark.posix_owners
def test_the_file_is_its_owner_s_alone(path):
    assert is_first(path)
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.posix_owners
def test_file_is_its_owners_whatever_the_umask(path):
    before = os.umask(0o777)
    try:
        assert is_first(path)
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_line_holds_where_standard_input_is_closed(path):
    line, standard_input = LockLine(path), os.dup(0)
    os.close(0)  # so that the line's file is number 0
    try:
        with line.is_first():
            line.note("4711.0123456789ab")
            line.note("4.01")  # which is shorter
            assert os.fstat(0).st_size == len("4.01")
            assert line.last_mark() == "4.01"
        with pytest.raises(OSError, match=r"Bad file descriptor|WinError 6\b"):
            os.fstat(0)
    finally:
        os.dup2(standard_input, 0)
        os.close(standard_input)


@pytest.mark.posix_owners
def test_a_link_in_its_place_is_not_followed_and_guards_nothing(path, tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    os.symlink(other, path)
    line = LockLine(path)
    with line.is_first() as first:
        assert first  # the lock itself decides
        line.note("4711.0123456789ab")
    assert other.read_text() == "precious"
    assert line.holder() is None


def test_where_nothing_can_be_written_the_lock_itself_decides(tmp_path):
    assert is_first(str(tmp_path / "missing" / "line"))


@pytest.mark.posix_locks
def test_file_of_a_line_that_cannot_be_looked_at_is_closed(path, monkeypatch):
    opened = []

    def stale(descriptor):
        opened.append(descriptor)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "fstat", stale)
    assert LockLine(path).enter()
    monkeypatch.undo()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])
