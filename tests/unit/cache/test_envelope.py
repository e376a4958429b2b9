"""The sealed envelope."""

import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lakekey.cache import envelope as envelope_module
from lakekey.cache.envelope import HEADER_BYTES, BadEnvelope, NewerEnvelope, UnknownKey, hkdf, key_id_of, seal, unseal
from lakekey.cache.keys.ring import KeyRing, key_id

NAME, OTHER = "a" * 64, "b" * 64
PLAIN = b"a token that no other may read"


def ring_of(*keys):
    return KeyRing({key_id(key): key for key in keys}, key_id(keys[0]), "env", "TEST")


@pytest.fixture
def ring():
    return ring_of(os.urandom(32))


def test_what_is_sealed_opens_and_shows_nothing(ring):
    envelope = seal(ring, NAME, PLAIN)
    assert unseal(ring, NAME, envelope) == PLAIN
    assert PLAIN not in envelope
    assert envelope[:5] == b"LKEY\x01"


def test_an_envelope_opens_under_its_own_name_only(ring):
    with pytest.raises(BadEnvelope, match="belongs to another entry"):
        unseal(ring, OTHER, seal(ring, NAME, PLAIN))


def test_a_change_of_any_byte_is_noticed(ring):
    envelope = seal(ring, NAME, PLAIN)
    for place in range(len(envelope)):
        edited = bytearray(envelope)
        edited[place] ^= 1
        with pytest.raises((BadEnvelope, UnknownKey)):
            unseal(ring, NAME, bytes(edited))


@pytest.mark.parametrize("length", [0, 4, HEADER_BYTES, HEADER_BYTES + 15])
def test_a_truncated_envelope_is_bad(ring, length):
    with pytest.raises(BadEnvelope, match="not a lakekey envelope"):
        unseal(ring, NAME, seal(ring, NAME, PLAIN)[:length])


def test_later_version_is_reported_as_one(ring):
    envelope = bytearray(seal(ring, NAME, PLAIN))
    envelope[4] = 9
    with pytest.raises(BadEnvelope, match="version 9"):
        unseal(ring, NAME, bytes(envelope))


def test_another_key_is_reported_by_its_id(ring):
    with pytest.raises(UnknownKey) as caught:
        unseal(ring_of(os.urandom(32)), NAME, seal(ring, NAME, PLAIN))
    assert caught.value.key_id == ring.current.hex()


def test_an_older_key_of_the_ring_opens_and_the_current_one_seals():
    old, new = os.urandom(32), os.urandom(32)
    envelope = seal(ring_of(old), NAME, PLAIN)
    both = ring_of(new, old)
    assert unseal(both, NAME, envelope) == PLAIN
    assert key_id_of(seal(both, NAME, PLAIN)) == key_id(new).hex()


def test_no_two_envelopes_are_alike(ring):
    assert len({seal(ring, NAME, PLAIN) for _ in range(20)}) == 20


def test_the_key_id_of_what_is_not_an_envelope_is_empty():
    assert key_id_of(b"something else") == ""


# RFC 5869, appendix A: test cases 1 to 3, which are those of SHA-256.
RFC_5869 = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("key", "salt", "info", "expected"), RFC_5869, ids=["1", "2", "3"])
def test_hkdf_gives_what_rfc_5869_gives(key, salt, info, expected):
    assert hkdf(key, salt, info, len(expected) // 2).hex() == expected


@pytest.mark.parametrize("length", [16, 32, 33, 255 * 32])
def test_hkdf_gives_what_the_library_gives(length):
    key, salt, info = os.urandom(32), os.urandom(16), os.urandom(80)
    assert hkdf(key, salt, info, length) == HKDF(SHA256(), length, salt, info).derive(key)


def test_the_cipher_is_the_librarys_public_one():
    assert envelope_module.AESGCM is aead.AESGCM


def test_a_library_that_has_the_cipher_in_its_public_place_only_serves():
    code = f"""
import sys
from cryptography.hazmat.bindings import _rust
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
del _rust.openssl
from lakekey.cache import envelope
from lakekey.cache.keys.ring import KeyRing, key_id
key = bytes(32)
ring = KeyRing({{key_id(key): key}}, key_id(key), "env", "TEST")
assert envelope.AESGCM is AESGCM
assert envelope.unseal(ring, "{NAME}", envelope.seal(ring, "{NAME}", b"plain")) == b"plain"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nothing_is_sealed_and_opened_as_well(ring):
    envelope = seal(ring, NAME, b"")
    assert len(envelope) == HEADER_BYTES + 16
    assert unseal(ring, NAME, envelope) == b""


@pytest.mark.parametrize(("version", "newer"), [(0, False), (2, True), (31, True), (32, False), (0xFF, False)])
@pytest.mark.parametrize("mine", [True, False], ids=["a key at hand", "another key"])
def test_envelope_of_a_later_release_is_told_from_one_whose_version_was_altered(ring, mine, version, newer):
    sealed = seal(ring if mine else ring_of(os.urandom(32)), NAME, PLAIN)
    later = sealed[:4] + bytes([version]) + sealed[5:-1] + bytes([sealed[-1] ^ 1])
    with pytest.raises(NewerEnvelope if newer else BadEnvelope, match=f"version {version} "):
        unseal(ring, NAME, later)
    altered = sealed[:4] + bytes([version]) + sealed[5:]
    with pytest.raises(BadEnvelope if mine or not newer else NewerEnvelope, match=f"version {version} "):
        unseal(ring, NAME, altered)
