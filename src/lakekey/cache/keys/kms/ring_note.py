"""The note ``kms.ring``: the rings that a cache has under key management services, as bytes."""

import binascii
import json
from typing import NamedTuple

from lakekey import _json

FORMAT = 2


class Record(NamedTuple):
    """A ring as the note has it.

    Attributes:
        format: 2; 1 for what the first releases wrote.
        kms: The service, as ``LAKEKEY_KMS`` has it.
        cache: The id of the cache.
        wrapped: What the service gave for the key, or in format 1 for the ring itself.
        sealed: The ring, sealed by that key: nonce, ciphertext, tag.
    """

    format: int
    kms: str
    cache: str
    wrapped: bytes
    sealed: bytes

    def __repr__(self) -> str:
        return f"Record({self.kms}, cache {self.cache})"


def made_with(content: bytes | None) -> list[tuple[str, str]]:
    """The services and cache ids of the rings in a note; none if it is not one of ours."""
    return [(record.kms, record.cache) for record in records_in(content or b"")]


def records_in(content: bytes) -> list[Record]:
    """The rings in a note, the one written last first; none where it is damaged."""
    try:
        note = _json.loads(content)
        fields = [note, *note.get("others", ())]
        return [
            Record(
                int(each["format"]),
                str(each["kms"]),
                str(each.get("cache", "")),
                binascii.a2b_base64(each["wrapped"]),
                binascii.a2b_base64(each.get("sealed", "")),
            )
            for each in fields
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def is_newer(content: bytes) -> bool:
    """Whether a later release wrote the note."""
    try:
        version = _json.loads(content)["format"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(version, int) and version > FORMAT


def to_bytes(records: list[Record]) -> bytes:
    """The note of these rings, the one in force first."""
    first, *others = (
        {
            "format": record.format,
            "kms": record.kms,
            "cache": record.cache,
            "wrapped": _base64(record.wrapped),
            "sealed": _base64(record.sealed),
        }
        for record in records
    )
    return json.dumps({**first, "others": others} if others else first, indent=1).encode() + b"\n"


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
