"""Appending to a file on Windows that other programs append to as well.

Windows looks for the end and writes in one step on its own disks, but not on a share of a server, nor does Wine. So
the programs take turns: each locks a byte that the file does not reach, for as long as it writes.
"""

import os
import sys
import time

if sys.platform == "win32":
    import _winapi
    import ctypes
    import msvcrt
    from ctypes.wintypes import BOOL, DWORD, HANDLE

    from lakekey._shared_opening import EVERY_SHARING, open_to_read

    _APPEND = 0x4 | 0x80 | 0x100000  # FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE
    _OPEN_ALWAYS = 4
    _PATIENCE = 1.0  # seconds
    _TURN = 0, 0x40000000, 1, 0  # one byte far away: the halves of its place, and of how many there are

    _kernel = ctypes.WinDLL("kernel32")
    for _call in (_kernel.LockFile, _kernel.UnlockFile):
        _call.argtypes, _call.restype = (HANDLE, DWORD, DWORD, DWORD, DWORD), BOOL

    def open_to_append(path: str) -> int:
        """A descriptor of a file, made where it is missing, that cannot but write to its end.

        Python's own ``O_APPEND`` looks for the end before it writes, so two programs may write over each other there.

        Raises:
            OSError: As from `os.open`.
        """
        handle = _winapi.CreateFile(path, _APPEND, EVERY_SHARING, _winapi.NULL, _OPEN_ALWAYS, 0, _winapi.NULL)
        return msvcrt.open_osfhandle(handle, os.O_WRONLY | os.O_BINARY | os.O_NOINHERIT)

    def write_in_turn(path: str, descriptor: int, data: bytes) -> None:
        """Write to the end of a file, when no other program does.

        It is written without a turn where this user may append to the file and not read it, and where the wait would be
        longer than a second.

        Args:
            path: The file.
            descriptor: The same, from `open_to_append`.
            data: What is written.

        Raises:
            OSError: As from `os.write`.
        """
        try:
            turn = open_to_read(path)
        except OSError:
            os.write(descriptor, data)
            return
        try:
            locked = _lock(msvcrt.get_osfhandle(turn))
            try:
                os.write(descriptor, data)
            finally:
                if locked:  # closing would end the lock, too, but at a time that Windows chooses
                    _kernel.UnlockFile(msvcrt.get_osfhandle(turn), *_TURN)
        finally:
            os.close(turn)

    def _lock(handle: int) -> bool:
        ends = time.monotonic() + _PATIENCE
        while not _kernel.LockFile(handle, *_TURN):
            if time.monotonic() > ends:
                return False
            time.sleep(0.001)
        return True
