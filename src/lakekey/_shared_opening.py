"""Opening files on Windows so that others may rename and delete them meanwhile, as everywhere else.

What `os.open` opens there, no other process can replace or delete until it is closed, so a crowd of readers would hold
up the process that writes. Links are followed here: a file that OneDrive keeps in its cloud is one, and opening it
fetches it.
"""

import os
import sys

if sys.platform == "win32":
    import _winapi
    import msvcrt

    EVERY_SHARING = 0x7  # FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE

    def open_to_read(path: str) -> int:
        """A descriptor of a file that is there; it is not inherited by other programs.

        Raises:
            OSError: As from `os.open`.
        """
        handle = _winapi.CreateFile(
            path, _winapi.GENERIC_READ, EVERY_SHARING, _winapi.NULL, _winapi.OPEN_EXISTING, 0, _winapi.NULL
        )
        return msvcrt.open_osfhandle(handle, os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT)
