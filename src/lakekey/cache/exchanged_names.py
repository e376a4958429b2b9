"""Two files of one directory swap their names in one step, if the system can: Linux' ``RENAME_EXCHANGE``.

A rename over a file makes some file systems bring the new content to the disk there and then, for the sake of programs
that have forgotten to (ext4's ``auto_da_alloc``). What need not outlast a loss of power would wait for that: up to 4 ms
where the disk is busy, and an exchange takes 25 µs.
"""

import os
import sys
from collections.abc import Callable
from functools import cache

from lakekey._imports import LOADING

_HERE = -100  # AT_FDCWD: paths are those of this process
_EXCHANGE = 2  # RENAME_EXCHANGE


def replace(temporary: str, path: str) -> bool:
    """Give a file the name of another, which is gone then; a reader finds the one or the other at any moment.

    Args:
        temporary: The file.
        path: The name; there has to be a file of that name.

    Returns:
        Whether it was done. The system or the file system may not have it, or there is no file of that name, such as
        nothing or a directory.
    """
    exchange = _system_call()
    if exchange is None:
        return False
    names = (_HERE, os.fsencode(temporary), _HERE, os.fsencode(path), _EXCHANGE)
    if exchange(*names) != 0:
        return False
    try:
        os.unlink(temporary)
    except OSError:  # found by its mark, or by age
        if os.path.isdir(temporary):  # which a rename refuses to replace
            exchange(*names)
            return False
    return True


@cache
def _system_call() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        with LOADING:
            import ctypes

        call = ctypes.CDLL(None).renameat2
    except (ImportError, OSError, AttributeError):  # a Python without libffi, or a C library that does not have it
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    call.restype = ctypes.c_int
    return call
