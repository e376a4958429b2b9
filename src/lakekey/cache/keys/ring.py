"""Master keys: the ring and its text form.

A ring maps key ids to 32-byte keys; one is current and seals, all of them open. Its text form is the same wherever it
is kept (key file, OS keyring, environment, mounted secret, wrapped by a passphrase or a KMS): keys in base64,
separated by white space, the current one first; what follows a ``#`` on a line is a comment. An id is a digest of its
key, so the text needs none. Where the text comes from is the business of `lakekey.cache.keys.sources`.
"""

from __future__ import annotations

import binascii
import hashlib
import os

from lakekey._named_tuple import NamedTuple
from lakekey.errors import KeyUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY_BYTES = 32
KEY_ID_BYTES = 8
_HINT = "make a key with: openssl rand -base64 32"


class KeyRing(NamedTuple):
    """The master keys that are at hand.

    Attributes:
        keys: Key ids (8 bytes) to keys (32 bytes).
        current: The id of the key that seals.
        source: Which kind of source holds them: ``keyring``, ``file``, ``mounted``, ``env``, ``passphrase``, ``kms``.
        where: The file's path, the variable's name, the keyring's item, ….
        why: Why that source is in force, in words.
    """

    keys: Mapping[bytes, bytes]
    current: bytes
    source: str
    where: str
    why: str = ""

    def __repr__(self) -> str:
        ids = ", ".join(sorted(key_id.hex() for key_id in self.keys))
        return f"KeyRing({ids}; current {self.current.hex()}; from {self.source} {self.where})"


#: The ring of a cache in which nothing has been sealed yet, so that no source is chosen.
NO_RING = KeyRing({}, b"", "", "")


def new_key() -> bytes:
    """A fresh random master key."""
    return os.urandom(KEY_BYTES)


def key_id(key: bytes) -> bytes:
    """The id of a master key: a digest, from which nothing about the key can be learnt."""
    return hashlib.sha256(b"lakekey key id" + key).digest()[:KEY_ID_BYTES]


def format_ring(keys: Iterable[bytes]) -> str:
    """The text form of keys, the first of which is the current one."""
    return "".join(binascii.b2a_base64(key).decode() for key in keys)


def parse_ring(text: str, *, source: str, where: str, why: str = "") -> KeyRing:
    """Read the text form of a ring.

    Raises:
        KeyUnavailable: It holds no key, or something that is not a key. The text itself is never quoted.
    """
    # Not `splitlines`: a comment ends where an editor shows its end, not at U+2028 or a vertical tab.
    words = [word for line in text.split("\n") for word in line.split("#", 1)[0].split()]
    keys: dict[bytes, bytes] = {}
    for word in words:
        key = _decode(word)
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"{where} holds something that is not a base64 key of {KEY_BYTES} bytes", hint=_HINT)
        keys[key_id(key)] = key
    if not keys:
        raise KeyUnavailable(f"{where} holds no key", hint=_HINT)
    return KeyRing(keys, next(iter(keys)), source, where, why)


def _decode(word: str) -> bytes:
    # Both base64 alphabets: `openssl rand -base64` writes the standard one.
    standard = word.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except (binascii.Error, ValueError):  # ValueError: a character outside ASCII
        return b""
