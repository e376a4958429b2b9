"""Undoing the content codings of an answer (RFC 9110 §8.4.1), as its bytes show them and whatever its label says.

A gateway that unpacks an answer may leave its label, or pack it and set none. An answer that is thrown away for that
may hold the successor of a refresh token that is spent.
"""

import zlib

_NESTED = 2
_MEMBERS = 64
_GZIP, _ZLIB, _RAW = 31, 15, -15  # what `zlib` calls them
_PIECE = 1024
_GZIP_START = b"\x1f\x8b"


def unpacked(body: bytes, longest: int, label: str = "") -> bytes:
    """A body without ``gzip`` and ``deflate``; as it is where it has neither; a damaged one up to the flaw.

    Args:
        body: What came.
        longest: Bytes that the result may have; where it has more, it is longer than that, and not all of it.
        label: Its ``Content-Encoding``, which alone can tell ``deflate`` where its two first bytes are left out.
    """
    for _ in range(_NESTED):
        kind = _kind(body, label)
        if kind is None:
            break
        body = _members(kind, body, longest) or body
    return body


def _kind(body: bytes, label: str) -> int | None:
    if body.startswith(_GZIP_START):
        return _GZIP
    # RFC 1950 §2.2: deflate, a window of up to 32 KiB, no dictionary, and a check of the two bytes.
    header = int.from_bytes(body[:2])
    if header & 0x8F20 == 0x0800 and header % 31 == 0:
        return _ZLIB
    return _RAW if "deflate" in label.lower() and not body.lstrip().startswith(b"{") else None


def _members(kind: int, body: bytes, longest: int) -> bytes:
    """What is packed, all members of it (RFC 1952 §2.2)."""
    found = b""
    for _ in range(_MEMBERS):
        unpacker = zlib.decompressobj(kind)
        try:
            found += unpacker.decompress(body, longest + 1 - len(found))
        except zlib.error:  # which comes before there is too much
            return b"" if kind == _RAW else found + _up_to_the_flaw(kind, body)
        if not unpacker.unused_data.startswith(_GZIP_START) or len(found) > longest:
            break
        body = unpacker.unused_data
    return found


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
