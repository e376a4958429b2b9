"""How much of a private file is read, how often it is opened, and which failures are waited for at all."""

import errno
import os

import pytest

from lakekey.cache import durable_files, private_files

MOST = 8 << 20


@pytest.fixture
def path(tmp_path):
    os.chmod(tmp_path, 0o700)
    path = str(tmp_path / "file")
    durable_files.replace(path, b"content")
    return path


@pytest.mark.parametrize("read", [private_files.read, private_files.read_given])
@pytest.mark.parametrize(("size", "length"), [(MOST, MOST), (MOST + 1, MOST + 1), (1 << 26, MOST + 1)])
def test_file_is_read_up_to_the_first_byte_beyond_the_bound(path, read, size, length):
    with open(path, "wb") as file:
        file.truncate(size)
    assert len(read(path)) == length


@pytest.mark.posix_owners  # another call opens files on Windows
def test_given_file_that_is_being_swapped_is_opened_five_times_at_each_of_two_looks(path, monkeypatch):
    opened, real, good_at = [], os.open, 10

    def swapped(name, *arguments):
        opened.append(name)
        if len(opened) < good_at:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return real(name, *arguments)

    monkeypatch.setattr(os, "open", swapped)
    assert private_files.read_given(path) == b"content"
    opened.clear()
    good_at = 99
    with pytest.raises(FileNotFoundError):
        private_files.read_given(path)
    assert len(opened) == 10


@pytest.mark.posix_owners  # Windows denies for a moment what it grants then
def test_denial_is_for_good_unless_the_call_may_be_denied_for_a_moment():
    tries = []

    def denied():
        tries.append(None)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for may_pass, often in ((False, 1), (True, 2)):
        tries.clear()
        with pytest.raises(PermissionError):
            private_files.patiently(denied, patience=0.01, **({"denied": True} if may_pass else {}))
        assert (len(tries) >= often) and (may_pass or len(tries) == often)


@pytest.mark.parametrize(("number", "in_use"), [(32, True), (33, True), (5, False), (34, False)])
def test_file_that_another_program_has_open_or_locked_is_in_use(number, in_use):
    error = PermissionError(errno.EACCES, "in the words of Windows")
    error.winerror = number
    assert private_files.is_in_use(error) is in_use
    assert not private_files.is_in_use(PermissionError(errno.EACCES, "in other words"))
