"""Undoing the content codings of an answer (RFC 9110 §8.4.1), as its bytes show them and whatever its label says.

A gateway that unpacks an answer may leave its label, or pack it and set none. An answer that is thrown away for that
may hold the successor of a refresh token that is spent.
"""

import zlib

_NESTED = 2
_GZIP, _ZLIB = 31, 15  # what `zlib` calls the two
_ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def unpacked(body: bytes, longest: int) -> bytes:
    """A body without ``gzip`` and ``deflate``; as it is where it has neither, or is damaged.

    Args:
        body: What came.
        longest: Bytes that the result may have; where it has more, it is longer than that, and not all of it.
    """
    for _ in range(_NESTED):
        if body.startswith(b"\x1f\x8b"):
            kind = _GZIP
        elif body.startswith(_ZLIB_STARTS):
            kind = _ZLIB
        else:
            break
        try:
            body = zlib.decompressobj(kind).decompress(body, longest + 1)
        except zlib.error:
            break
    return body
