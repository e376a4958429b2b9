"""What a cache remembers about its own key: where it is, and why there. No secret is in it.

The first process that seals something decides, and writes the decision down in ``cache.json``. Every later one follows
it: a keyring that is locked for a moment does not start a second key, and the keyring's backend is loaded by the name
that is written here, since looking for it costs more than everything else together. Every change of the ring changes
this note last, so that comparing its bytes tells a running process whether to read the ring again.
"""

from __future__ import annotations

import hashlib
import json

from lakekey import _json
from lakekey._imports import LOADING
from lakekey._named_tuple import NamedTuple
from lakekey.cache.private_files import remedy
from lakekey.errors import KeyUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace

NOTE = "cache.json"
UPGRADE = "upgrade lakekey here: pip install --upgrade lakekey"
_FORMAT = 1
_CHECK = b'"check": "'
_NO_CHECK = "0" * 16


class Damaged(ValueError):
    """This is not a choice that any release wrote."""


class ChangedElsewhere(Exception):
    """Another host has changed the key at the same time: in a store that hosts share, a lock may be lost."""


class KeyChoice(NamedTuple):
    """The decision.

    Attributes:
        source: ``keyring``, ``file``, ``env``, ``mounted``, ``passphrase`` or ``kms``.
        why: Why that one, in words.
        since: When it was decided, as an ISO 8601 time in UTC.
        current: The id of the key that seals, in hexadecimal.
        backend: For ``keyring``: the backend, as ``module:class``.
        item: For ``keyring``: the name of the item that holds the ring.
        kms: For ``kms``: the service, as ``LAKEKEY_KMS`` has it.
        rotations: How often the ring was changed.
        cache: For ``kms``: the cache's own id, to which its ring is bound.
    """

    source: str
    why: str
    since: str = ""
    current: str = ""
    backend: str = ""
    item: str = ""
    kms: str = ""
    rotations: int = 0
    cache: str = ""

    def to_bytes(self) -> bytes:
        """The content of ``cache.json``; fields that say nothing are left out.

        ``check`` is the beginning of SHA-256 of the content with zeros in its place. It tells damage from a later
        release's format, and does not protect against people.
        """
        said = {name: value for name, value in self._asdict().items() if value}
        content = json.dumps({"format": _FORMAT, "check": _NO_CHECK, **said}, indent=1).encode() + b"\n"
        return content.replace(_CHECK + _NO_CHECK.encode(), _CHECK + _digest(content), 1)


def raw_choice(place: KeyPlace) -> bytes:
    """The bytes of ``cache.json``; none if there is none yet."""
    try:
        return place.read_note(NOTE) or b""
    except OSError as error:
        path = place.note_place(NOTE)
        reason = error.strerror or type(error).__name__
        raise KeyUnavailable(
            f"{path}, which says where the key of this cache is, cannot be read: {reason}", hint=remedy(path, error)
        ) from None


def parse(content: bytes, path: str) -> KeyChoice:
    """Read the decision.

    Args:
        content: The note.
        path: Where it is, for people.

    Raises:
        KeyUnavailable: A later release wrote it.
        Damaged: It is not one.
    """
    try:
        fields = _json.loads(content)
        if not isinstance(fields, dict) or _is_altered(content):
            raise Damaged
        version = fields.pop("format", None)
        if isinstance(version, int) and version > _FORMAT:
            raise KeyUnavailable(
                f"{path}, which says where the key of this cache is, was written by a later release of lakekey",
                hint=UPGRADE,
            )
        known = {name: fields[name] for name in KeyChoice._fields if name in fields}
        right = all(isinstance(known[name], type(default)) for name, default in _KINDS.items() if name in known)
        if version == _FORMAT and right and {"source", "why"} <= known.keys():
            return KeyChoice(**known)
    except (ValueError, TypeError):
        pass
    raise Damaged


_KINDS = {**dict.fromkeys(KeyChoice._fields, ""), "rotations": 0}


def write_choice(place: KeyPlace, choice: KeyChoice, *, replaces: bytes) -> bool:
    """Write the decision down, durably.

    Args:
        place: Where the cache keeps its notes.
        choice: The decision.
        replaces: What `raw_choice` gave when it was made.

    Returns:
        Whether it was written; another host may have decided since.

    Raises:
        OSError: It cannot be written.
    """
    return place.swap_note(NOTE, choice.to_bytes(), replaces=replaces or None)


def now() -> str:
    """This moment, as `KeyChoice.since` has it."""
    with LOADING:
        from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_altered(content: bytes) -> bool:
    """Whether a note says of itself that it is another than was written. Those of the first releases do not."""
    before, found, after = content.partition(_CHECK)
    if not found:
        return False
    digits = len(_NO_CHECK)
    blank = before + found + _NO_CHECK.encode() + after[digits:]
    return after[:digits] != _digest(blank)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[: len(_NO_CHECK)].encode()
