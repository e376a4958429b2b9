"""Appending on Windows to a file that other programs append to as well."""

import getpass
import json
import os
import types

import pytest

from lakekey.observability import audit

if os.name == "nt":
    import _winapi
    import ctypes

    from lakekey.observability import appending

pytestmark = pytest.mark.file_sharing

TURN = 0, 0x40000000, 1, 0  # where every release locks, so that they wait for each other


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"first\n")
    return str(path)


@pytest.fixture
def descriptor(path):
    descriptor = appending.open_to_append(path)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def other(path):
    """The handle of another program."""
    sharing = appending.EVERY_SHARING
    handle = _winapi.CreateFile(path, _winapi.GENERIC_READ, sharing, _winapi.NULL, _winapi.OPEN_EXISTING, 0, 0)
    yield handle
    _winapi.CloseHandle(handle)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def watch(monkeypatch, name, then=lambda done: None):
    """The answers that a call of Windows gives from now on."""
    real, answers = getattr(ctypes.WinDLL("kernel32"), name), []
    real.argtypes, real.restype = appending._call.argtypes, appending._call.restype

    def call(*arguments):
        answers.append(real(*arguments))
        then(answers[-1])
        return answers[-1]

    monkeypatch.setattr(appending._kernel, name, call)
    return answers


def test_what_is_missing_is_made_and_what_is_there_is_kept(tmp_path, path, descriptor):
    made = str(tmp_path / "made.jsonl")
    os.close(appending.open_to_append(made))
    assert os.access(made, os.W_OK)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, b"second\n")
    assert content(path) == b"first\nsecond\n"


def test_program_that_denies_reading_keeps_no_record_out(tmp_path):
    path = str(tmp_path / "audit.jsonl")
    write, share_all_but_reading = _winapi.GENERIC_WRITE, 0x2 | 0x4
    handle = _winapi.CreateFile(path, write, share_all_but_reading, _winapi.NULL, 2, 0, 0)
    try:
        descriptor = appending.open_to_append(path)
        appending.write_in_turn(path, descriptor, b"record\n")
        os.close(descriptor)
    finally:
        _winapi.CloseHandle(handle)
    assert content(path) == b"record\n"


def test_record_waits_for_its_turn(path, descriptor, other, monkeypatch):
    assert appending._kernel.LockFile(other, *TURN)

    def end_it(locked):
        if not locked:
            assert content(path) == b"first\n"
            assert appending._kernel.UnlockFile(other, *TURN)

    locks, unlocks = watch(monkeypatch, "LockFile", end_it), watch(monkeypatch, "UnlockFile")
    appending.write_in_turn(path, descriptor, b"record\n")
    assert (locks, unlocks) == ([0, 1], [1, 1])  # of the other, then its own
    assert content(path) == b"first\nrecord\n"


def test_bytes_beside_the_turn_are_free(path, descriptor, other, monkeypatch):
    low, high, *_ = TURN
    assert appending._kernel.LockFile(other, low + 1, high, 0, 1)
    locks = watch(monkeypatch, "LockFile")
    appending.write_in_turn(path, descriptor, b"record\n")
    assert locks == [1]


def test_record_is_made_after_a_second_whatever_the_other_does(path, descriptor, other, monkeypatch):
    assert appending._kernel.LockFile(other, *TURN)
    slept = []
    clock = types.SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(appending, "time", clock)
    unlocks = watch(monkeypatch, "UnlockFile")
    appending.write_in_turn(path, descriptor, b"record\n")
    assert content(path) == b"first\nrecord\n"
    assert sum(slept) == pytest.approx(1.0, abs=0.01)
    assert max(slept) < 0.01
    assert unlocks == []  # the turn is the other's


def test_record_is_made_where_the_file_may_not_be_read(path, descriptor, monkeypatch):
    def deny(path):
        raise PermissionError(path)

    monkeypatch.setattr(appending, "open_to_read", deny)
    appending.write_in_turn(path, descriptor, b"record\n")
    assert content(path) == b"first\nrecord\n"


def test_nothing_stays_open(path, descriptor):
    def next_one():
        return os.open(path, os.O_RDONLY)

    before = next_one()
    os.close(before)
    appending.write_in_turn(path, descriptor, b"record\n")
    after = next_one()
    os.close(after)
    assert after == before  # the lowest number that is free


def test_audit_record_is_appended_in_turn_as_the_line_of_other_systems(path, monkeypatch):
    monkeypatch.setenv("LAKEKEY_AUDIT", path)
    locks = watch(monkeypatch, "LockFile")
    audit.record(audit.ADMINISTRATION, action="test")
    assert locks == [1]
    line = content(path).removeprefix(b"first\n")
    assert line.endswith(b"}\n")
    assert json.loads(line)["os_user"] == getpass.getuser()
