"""Undoing the content codings of an answer (RFC 9110 §8.4.1), as its bytes show them and whatever its label says.

A gateway that unpacks an answer may leave its label, or pack it and set none. An answer that is thrown away for that
may hold the successor of a refresh token that is spent.
"""

import zlib

_NESTED = 2
_GZIP, _ZLIB = 31, 15  # what `zlib` calls the two
_PIECE = 1024
_ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def unpacked(body: bytes, longest: int) -> bytes:
    """A body without ``gzip`` and ``deflate``; as it is where it has neither; a damaged one up to the flaw.

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
            body = _up_to_the_flaw(kind, body) or body  # it comes before there is too much
    return body


def _up_to_the_flaw(kind: int, body: bytes) -> bytes:
    """What can be unpacked of a damaged body: where only its checksum is wrong, all of it.

    TLS lets no damage through, so what packed the body is at fault. Its reader judges whether it is whole.
    """
    unpacker, found, at = zlib.decompressobj(kind), bytearray(), 0
    for step in (_PIECE, 1):  # in the end by the byte: an error comes in the place of what its piece would give
        while at < len(body):
            before = unpacker.copy()
            try:
                found += unpacker.decompress(body[at : at + step])
            except zlib.error:
                unpacker = before
                break
            at += step
    return bytes(found)
