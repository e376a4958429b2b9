"""Which accounts a directory lets in on Windows, by its access-control list."""

import ctypes
import os
import struct

import pytest

from lakekey.cache import private_files

if os.name == "nt":
    from ctypes import wintypes

    from lakekey.cache import access_list

pytestmark = pytest.mark.access_lists

OURS = "(A;;FA;;;SY)(A;;FA;;;BA)(A;OICI;FA;;;CO)(A;;FA;;;OW)"  # the system, administrators, makers and owners
EVERYONE = bytes.fromhex("010100000000000100000000")
ADMINISTRATORS = bytes.fromhex("01020000000000052000000020020000")
#: ACCESS_ALLOWED_ACE, ACCESS_DENIED_ACE and so on ([MS-DTYP] §2.4.4.1).
ALLOWED, DENIED, OBJECT, CALLBACK, CALLBACK_OBJECT = 0, 1, 5, 9, 11


@pytest.fixture
def given(monkeypatch):
    """Gives a list to every directory: by its text, or by the owner's number and the bytes of its lines."""
    security, kept = ctypes.WinDLL("advapi32"), []

    def lists(found):
        def get(_path, _kind, _what, owner, _group, access, _audit, descriptor):
            places = [ctypes.cast(each, ctypes.POINTER(ctypes.c_void_p)) for each in (owner, access, descriptor)]
            if isinstance(found, bytes):
                kept[:] = [ctypes.create_string_buffer(each, len(each)) for each in (ADMINISTRATORS, found)]
                places[0][0], places[1][0] = map(ctypes.addressof, kept)
                return 0
            is_there, default = wintypes.BOOL(), wintypes.BOOL()
            make = security.ConvertStringSecurityDescriptorToSecurityDescriptorW
            assert make(ctypes.c_wchar_p(found), 1, places[2], None)
            made = ctypes.c_void_p(places[2][0])
            security.GetSecurityDescriptorOwner(made, places[0], ctypes.byref(default))
            security.GetSecurityDescriptorDacl(made, ctypes.byref(is_there), places[1], ctypes.byref(default))
            return 0

        monkeypatch.setattr(access_list._security, "GetNamedSecurityInfoW", get)
        return list(access_list.who_may_enter("any").others)

    return lists


def line(kind, mask, *, objects=None, account=EVERYONE):
    """A line of a list. With ``objects``, it says which of two GUIDs follow."""
    more = b"" if objects is None else struct.pack("<I", objects) + bytes(16 * objects.bit_count())
    return struct.pack("<BBHI", kind, 0, 8 + len(more) + len(account), mask) + more + account


def a_list(*lines):
    """The bytes of a list with these lines."""
    content = b"".join(lines)
    return struct.pack("<BBHHH", 4, 0, 8 + len(content), len(lines), 0) + content


def test_directory_that_is_made_lets_in_its_user_alone(tmp_path):
    path = str(tmp_path / "made")
    access_list.make_directory(path)
    assert access_list.who_may_enter(path).others == ()
    with pytest.raises(FileExistsError):
        access_list.make_directory(path)


def test_each_directory_that_is_made_for_a_cache_lets_in_its_user_alone(tmp_path):
    above, cache = str(tmp_path / "made"), str(tmp_path / "made" / "cache")
    private_files.ensure_directory(cache)
    assert [access_list.who_may_enter(path).others for path in (above, cache)] == [(), ()]


@pytest.mark.parametrize("name", ["make_directory", "who_may_enter"])
def test_what_is_not_there_is_the_systems_own_error(tmp_path, name):
    nowhere = str(tmp_path / "no" / "such")
    with pytest.raises(FileNotFoundError) as caught:
        getattr(access_list, name)(nowhere)
    assert caught.value.filename == nowhere


def test_failure_has_the_reason_that_windows_gives():
    with pytest.raises(OSError) as caught:
        access_list._name("no number of an account")
    assert caught.value.winerror == 1337


def test_owner_counts_and_the_system_administrators_and_makers_of_files_do_not(given):
    assert given(f"O:BAD:{OURS}") == []
    assert given(f"O:WDD:{OURS}") == ["Everyone"]
    assert given("O:BAD:") == []
    assert given("O:BA") == ["Everyone"]  # no list at all allows everything


def test_command_takes_what_others_may_do(given):
    given(f"O:BAD:{OURS}(A;;FA;;;WD)(A;;FA;;;S-1-5-21-1-2-3-4)")
    access = access_list.who_may_enter("any")
    assert access.others == ("Everyone", "S-1-5-21-1-2-3-4")  # of the second this machine has no name
    assert access.close.startswith('icacls "any" /inheritance:r /grant:r "*S-1-5-21-')
    assert access.close.endswith(':(OI)(CI)F" /remove:g *S-1-1-0 /remove:g *S-1-5-21-1-2-3-4')


def test_what_lets_read_write_or_change_counts(given):
    for bit in range(32):
        counts = bit in (0, 1, 2, 6, 16, 18, 19, 28, 30, 31)
        assert given(a_list(line(ALLOWED, 1 << bit))) == ["Everyone"] * counts, bit


def test_each_kind_of_line_is_read_to_its_account(given):
    assert given(a_list(line(ALLOWED, 1))) == ["Everyone"]
    assert given(a_list(line(CALLBACK, 1))) == ["Everyone"]
    for kind in (OBJECT, CALLBACK_OBJECT):
        for objects in range(4):
            assert given(a_list(line(kind, 1, objects=objects))) == ["Everyone"], (kind, objects)
    for kind in sorted({*range(22)} - {ALLOWED, OBJECT, CALLBACK, CALLBACK_OBJECT}):
        assert given(a_list(line(kind, 1))) == [], kind
    assert given(a_list(line(DENIED, 1), line(ALLOWED, 1))) == ["Everyone"]


def test_what_windows_hands_out_is_given_back(given, tmp_path, monkeypatch):
    freed, closed = [], []
    for name, calls in (("LocalFree", freed), ("CloseHandle", closed)):
        real = getattr(access_list._kernel, name)
        monkeypatch.setattr(access_list._kernel, name, lambda what, real=real, calls=calls: calls.append(real(what)))
    access_list.make_directory(str(tmp_path / "made"))
    assert (freed, closed) == ([0] * 2, [1])  # the user's number as text, and the list
    given(f"O:WDD:{OURS}")
    # The texts of the user, the owner and each of four lines, the number that is to be named, and the list.
    assert (freed, closed) == ([0] * 10, [1, 1])
