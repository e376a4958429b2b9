"""Access-control lists of Windows: directories made for their user alone, and who else may enter one that is there.

The list names the user by the account's own number (SID). "The owner" would not do: what an elevated program makes
belongs to the administrators there, and the same user's other programs could then not enter it.
"""

import sys
from typing import NamedTuple


class Access(NamedTuple):
    """Who may look into a directory or change it.

    Attributes:
        others: Names of the accounts besides this user, the system and the administrators.
        close: The command that takes it from them.
    """

    others: tuple[str, ...]
    close: str


if sys.platform == "win32":
    import ctypes
    from ctypes import byref, wintypes

    _SYSTEM, _ADMINISTRATORS = "S-1-5-18", "S-1-5-32-544"
    _WHO_MAKES, _WHO_OWNS = "S-1-3-0", "S-1-3-4"  # stand for the account that makes a file, and its owner
    _EVERYBODY = "S-1-1-0"
    # Full access for you, the system and administrators, also to what will lie in it; nothing from the directory above.
    _FOR_THE_USER_ALONE = f"D:P(A;OICI;FA;;;{{user}})(A;OICI;FA;;;{_SYSTEM})(A;OICI;FA;;;{_ADMINISTRATORS})"
    # Reading, writing, adding, deleting, changing the list or the owner; GENERIC_ALL, _WRITE and _READ.
    _COUNTS = 0x1 | 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000 | 0x80000000
    _ALLOWS = (0, 5, 9, 11)  # ACCESS_ALLOWED_ACE_TYPE, with an object, with a condition, with both
    _HAS_OBJECT = (5, 11)
    _TOKEN_QUERY, _TOKEN_USER = 0x8, 1
    _FILE_OBJECT, _OWNER_AND_LIST = 1, 0x1 | 0x4

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _security = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel.GetCurrentProcess.restype = wintypes.HANDLE
    _kernel.LocalFree.argtypes = [wintypes.LPVOID]
    _security.OpenProcessToken.argtypes = [wintypes.HANDLE, wintypes.DWORD, wintypes.LPVOID]
    _security.GetTokenInformation.argtypes = [
        wintypes.HANDLE, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID,
    ]  # fmt: skip
    _security.ConvertSidToStringSidW.argtypes = [wintypes.LPVOID, wintypes.LPVOID]
    _security.GetAce.argtypes = [wintypes.LPVOID, wintypes.DWORD, wintypes.LPVOID]

    class _Attributes(ctypes.Structure):
        _fields_ = (
            ("length", wintypes.DWORD),
            ("descriptor", wintypes.LPVOID),
            ("inherited", wintypes.BOOL),
        )

    class _List(ctypes.Structure):
        _fields_ = (
            ("revision", ctypes.c_ubyte),
            ("padding", ctypes.c_ubyte),
            ("size", wintypes.WORD),
            ("count", wintypes.WORD),
            ("more_padding", wintypes.WORD),
        )

    class _Entry(ctypes.Structure):
        _fields_ = (
            ("kind", ctypes.c_ubyte),
            ("flags", ctypes.c_ubyte),
            ("size", wintypes.WORD),
            ("mask", wintypes.DWORD),
            ("objects", wintypes.DWORD),  # in some kinds only; in the others the account begins here
        )

    def make_directory(path: str) -> None:
        """Make a directory that this user, the system and administrators may enter.

        Raises:
            OSError: As from `os.mkdir`.
        """
        descriptor = wintypes.LPVOID()
        text = _FOR_THE_USER_ALONE.format(user=_user())
        _must(_security.ConvertStringSecurityDescriptorToSecurityDescriptorW(text, 1, byref(descriptor), None))
        try:
            attributes = _Attributes(ctypes.sizeof(_Attributes), descriptor, False)
            _must(_kernel.CreateDirectoryW(path, byref(attributes)), path)
        finally:
            _kernel.LocalFree(descriptor)

    def who_may_enter(path: str) -> Access:
        """Who may read or change a directory, or what lies in it. What the list denies a user is not counted.

        Raises:
            OSError: The list cannot be read.
        """
        owner, access, descriptor = wintypes.LPVOID(), ctypes.POINTER(_List)(), wintypes.LPVOID()
        code = _security.GetNamedSecurityInfoW(
            path, _FILE_OBJECT, _OWNER_AND_LIST, byref(owner), None, byref(access), None, byref(descriptor)
        )
        if code:
            raise _error(code, path)
        me = _user()
        try:
            accounts = dict.fromkeys(_allowed(access) if access else [_EVERYBODY])  # no list at all allows everything
            accounts.setdefault(_text(owner))  # who owns it may change the list
            accounts.pop(_WHO_OWNS, None)
            for one in (me, _SYSTEM, _ADMINISTRATORS, _WHO_MAKES):
                accounts.pop(one, None)
            others = tuple(map(_name, accounts))
        finally:
            _kernel.LocalFree(descriptor)
        close = f'icacls "{path}" /inheritance:r /grant:r "*{me}:(OI)(CI)F"'
        return Access(others, " ".join((close, *(f"/remove:g *{account}" for account in accounts))))

    def _allowed(access: "ctypes._Pointer[_List]") -> list[str]:
        """The accounts that a list allows something that counts."""
        found = []
        for number in range(access.contents.count):
            entry = ctypes.POINTER(_Entry)()
            _must(_security.GetAce(access, number, byref(entry)))
            head = entry.contents
            if head.kind in _ALLOWS and head.mask & _COUNTS:
                begin = _Entry.objects.offset
                if head.kind in _HAS_OBJECT:
                    begin += 4 + 16 * (head.objects & 0x3).bit_count()
                found.append(_text(wintypes.LPVOID(ctypes.addressof(head) + begin)))
        return found

    def _user() -> str:
        """The account that this process runs as."""
        token, needed = wintypes.HANDLE(), wintypes.DWORD()
        _must(_security.OpenProcessToken(_kernel.GetCurrentProcess(), _TOKEN_QUERY, byref(token)))
        try:
            _security.GetTokenInformation(token, _TOKEN_USER, None, 0, byref(needed))
            room = ctypes.create_string_buffer(needed.value)
            _must(_security.GetTokenInformation(token, _TOKEN_USER, room, needed, byref(needed)))
            return _text(wintypes.LPVOID.from_buffer(room))
        finally:
            _kernel.CloseHandle(token)

    def _text(account: wintypes.LPVOID) -> str:
        text = wintypes.LPWSTR()
        _must(_security.ConvertSidToStringSidW(account, byref(text)))
        try:
            return text.value or ""
        finally:
            _kernel.LocalFree(text)

    def _name(account: str) -> str:
        """An account as a person knows it; its number where the machine has no name for it."""
        number = wintypes.LPVOID()
        _must(_security.ConvertStringSidToSidW(account, byref(number)))
        try:
            name, domain = ctypes.create_unicode_buffer(256), ctypes.create_unicode_buffer(256)
            sizes, kind = (wintypes.DWORD(256), wintypes.DWORD(256)), wintypes.DWORD()
            known = _security.LookupAccountSidW(
                None, number, name, byref(sizes[0]), domain, byref(sizes[1]), byref(kind)
            )
            return "\\".join(filter(None, (domain.value, name.value))) if known else account
        finally:
            _kernel.LocalFree(number)

    def _must(succeeded: int, path: str | None = None) -> None:
        if not succeeded:
            raise _error(ctypes.get_last_error(), path)

    def _error(code: int, path: str | None = None) -> OSError:
        return OSError(None, ctypes.FormatError(code), path, code)
