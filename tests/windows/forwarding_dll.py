"""Writes a DLL of Windows that hands each function on to one of another DLL: a table of names, without code.

Wine 8 lacks ``bcryptprimitives.dll``, of which programs in Rust (cryptography, pydantic) take one function.
"""

import struct
from collections.abc import Mapping

_ALIGNED, _AT = 0x200, 0x1000  # in the file; in memory
_READABLE_DATA = 0x40000040
_DLL = 0x2022
_X86_64 = 0x8664
_PE32_PLUS = 0x20B


def forwarding_dll(name: str, functions: Mapping[str, str]) -> bytes:
    """The DLL's bytes (the PE format of Windows, x86-64).

    Args:
        name: Its name.
        functions: Each function, and which it stands for: ``DLL.FUNCTION``.
    """
    table = _exports(name, dict(sorted(functions.items())))
    data = table + bytes(-len(table) % _ALIGNED)
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        _PE32_PLUS, 14, 0, 0, len(data), 0, 0, _AT, 0x180000000, _AT, _ALIGNED, 6, 0, 0, 0, 6, 0, 0,
        _AT + _AT * -(-len(data) // _AT), _ALIGNED, 0, 3, 0x140, 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16,
    ) + struct.pack("<II", _AT, len(table)) + bytes(15 * 8)  # fmt: skip
    section = struct.pack("<8sIIIIIIHHI", b".rdata", len(data), _AT, len(data), _ALIGNED, 0, 0, 0, 0, _READABLE_DATA)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", _X86_64, 1, 0, 0, 0, len(optional), _DLL) + optional + section
    return head + bytes(_ALIGNED - len(head)) + data


def _exports(name: str, functions: Mapping[str, str]) -> bytes:
    """The export directory: a function whose address lies inside of it is the name of another."""
    count = len(functions)
    addresses, names, ordinals = 40, 40 + 4 * count, 40 + 8 * count
    texts, places = b"", []
    for text in (name, *functions.values(), *functions):
        places.append(_AT + 40 + 10 * count + len(texts))
        texts += text.encode("ascii") + b"\0"
    directory = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, places[0], 1, count, count, _AT + addresses, _AT + names, _AT + ordinals
    )
    return directory + struct.pack(f"<{2 * count}I{count}H", *places[1:], *range(count)) + texts
