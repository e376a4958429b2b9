"""The sealed envelope: bytes in, bytes out, no files and no clock.

Layout, version 1 (all lengths in bytes)::

    0   4  magic          b"LKEY"
    4   1  version        0x01
    5   8  key id         SHA-256("lakekey key id" + master key), first 8
    13 16  salt           random, for HKDF
    29 12  nonce          random, for AES-GCM
    41  n  ciphertext     with the 16-byte tag at its end

The key of one envelope is HKDF-SHA256(master key, salt, info="lakekey entry v1" + entry id), RFC 5869, so no two
envelopes share one and the random nonce can never collide under the same key. The associated data is the whole
header and the entry's id: an envelope that was moved to another name, swapped or edited does not open.
"""

from __future__ import annotations

import hmac
import os

from lakekey._imports import LOADING
from lakekey.cache.keys.ring import KEY_ID_BYTES, KeyRing
from lakekey.errors import CacheError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
else:
    try:
        try:
            # The same class as under its public name, which is in a package of thirteen more modules that load
            # `typing`, too: together half of what lakekey itself costs a new process.
            from cryptography.hazmat.bindings._rust import openssl

            AESGCM = openssl.aead.AESGCM
        except (ImportError, AttributeError):  # a release of the library that has it elsewhere
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as problem:  # in a sub-interpreter, which its compiled part does not support
        raise CacheError(
            f"the cipher of the cache cannot be loaded: {problem}",
            hint="use lakekey in the main interpreter, or: pip install --force-reinstall cryptography",
        ) from None

MAGIC = b"LKEY"
VERSION = 1
_LATEST = 31  # a number that no release reaches soon; beyond it, this is text or noise
_SALT = 16
_NONCE = 12
_TAG = 16
_KEY_ID_AT = len(MAGIC) + 1
_SALT_AT = _KEY_ID_AT + KEY_ID_BYTES
_NONCE_AT = _SALT_AT + _SALT
HEADER_BYTES = _NONCE_AT + _NONCE


class BadEnvelope(ValueError):
    """These bytes are not an envelope of ours, or not the one that was sealed under this name."""


class NewerEnvelope(ValueError):
    """A later release sealed this. It is not damaged, and is to be left as it is."""


class UnknownKey(LookupError):
    """The envelope was sealed under a master key that the ring does not hold.

    Attributes:
        key_id: The id that the envelope names, in hexadecimal.
    """

    def __init__(self, key_id: bytes) -> None:
        super().__init__(f"sealed under key {key_id.hex()}, which is not in the key ring")
        self.key_id = key_id.hex()


def seal(ring: KeyRing, entry_id: str, plaintext: bytes) -> bytes:
    """Seal a plaintext for one entry under the ring's current key.

    Args:
        ring: The master keys.
        entry_id: The entry's name in the store; the envelope opens under no other.
        plaintext: What to protect.

    Returns:
        The envelope.
    """
    salt = os.urandom(_SALT)
    nonce = os.urandom(_NONCE)
    header = MAGIC + bytes([VERSION]) + ring.current + salt + nonce
    aead = AESGCM(_derive(ring.keys[ring.current], salt, entry_id))
    return header + aead.encrypt(nonce, plaintext, header + entry_id.encode())


def unseal(ring: KeyRing, entry_id: str, envelope: bytes) -> bytes:
    """Open an envelope.

    Args:
        ring: The master keys.
        entry_id: The name that the envelope was found under.
        envelope: The bytes that were found.

    Returns:
        The plaintext.

    Raises:
        BadEnvelope: Truncated, foreign, edited, or sealed for another entry.
        NewerEnvelope: Of a later version.
        UnknownKey: Sealed under a key that is not in the ring.
    """
    if len(envelope) < HEADER_BYTES + _TAG or envelope[: len(MAGIC)] != MAGIC:
        raise BadEnvelope("not a lakekey envelope")
    if (version := envelope[len(MAGIC)]) != VERSION:
        if VERSION < version <= _LATEST and not _opens(ring, entry_id, _as_version_1(envelope)):
            raise NewerEnvelope(f"envelope version {version} is of a later release")
        raise BadEnvelope(f"envelope version {version} is not one, or was altered")
    key_id = envelope[_KEY_ID_AT:_SALT_AT]
    master = ring.keys.get(key_id)
    if master is None:
        raise UnknownKey(key_id)
    header = envelope[:HEADER_BYTES]
    aead = AESGCM(_derive(master, envelope[_SALT_AT:_NONCE_AT], entry_id))
    try:
        return aead.decrypt(envelope[_NONCE_AT:HEADER_BYTES], envelope[HEADER_BYTES:], header + entry_id.encode())
    except Exception as error:
        if not _is_invalid_tag(error):
            raise
    # Raised here, outside, so that nothing of the attempt hangs on the exception.
    raise BadEnvelope("the envelope was altered, or belongs to another entry")


def _is_invalid_tag(error: Exception) -> bool:
    with LOADING:
        from cryptography.exceptions import InvalidTag  # for an error only, so not on the warm path

    return isinstance(error, InvalidTag)


def key_id_of(envelope: bytes) -> str:
    """The id of the master key that an envelope names, in hexadecimal; empty if it is not an envelope."""
    return envelope[_KEY_ID_AT:_SALT_AT].hex() if envelope[: len(MAGIC)] == MAGIC else ""


def hkdf(key: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869). The library's module for it costs a new process more than all the rest of opening.

    Args:
        key: The input keying material.
        salt: The salt; may be empty.
        info: What the derived key is for.
        length: How many bytes, at most 8160.
    """
    pseudorandom = hmac.digest(salt, key, "sha256")  # RFC 5869 §2.2; an empty salt is as good as one of zeros
    derived = block = b""
    for counter in range(1, -(-length // 32) + 1):  # §2.3
        block = hmac.digest(pseudorandom, block + info + bytes([counter]), "sha256")
        derived += block
    return derived[:length]


def _derive(master: bytes, salt: bytes, entry_id: str) -> bytes:
    return hkdf(master, salt, b"lakekey entry v1" + entry_id.encode())


def _as_version_1(envelope: bytes) -> bytes:
    return MAGIC + bytes([VERSION]) + envelope[len(MAGIC) + 1 :]


def _opens(ring: KeyRing, entry_id: str, envelope: bytes) -> bool:
    """Whether an envelope opens; if so, it was its version that was altered."""
    try:
        unseal(ring, entry_id, envelope)
    except (BadEnvelope, UnknownKey):
        return False
    return True
