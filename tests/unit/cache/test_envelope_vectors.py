"""Envelopes and key rings that were sealed once and must open for ever. Never regenerate these: only add."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import key_id_of, unseal
from lakekey.cache.keys.passphrase import PassphraseRing
from lakekey.cache.keys.ring import key_id, parse_ring
from lakekey.cache.stores.file import FileStore

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ENTRY = "a" * 64
PLAINTEXT = (
    b'{"format":1,"about":{"host":"https://example.com"},"generation":7,'
    b'"access_token":"frozen-access","refresh_token":"frozen-refresh"}'
)
ENVELOPE = bytes.fromhex(
    "4c4b45590133c15e8beb7f8f5f404142434445464748494a4b4c4d4e4f606162636465666768696a6bb16fc788cf48fb4ef9d785aa0ceab5"
    "45cab0e8732c2989368ef16c54ab26a6f6a67d56253c82a2e247421f975951d7794e40ae0bcf3fb5a8cab96a85673e5523fce8d259dcb6a8"
    "8aa886b41a7378dd90a6bb61313ee0832b322498d08f277b76edf4bada7d1578b07f55f78b99277da445bce1ba50aa3adf41ed71cd508396"
    "245f76c5896387d67dac5ae706684d6197f3a4"
)
EMPTY_KEY = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
EMPTY_ENVELOPE = bytes.fromhex(
    "4c4b455901d481d06df7b49e91000000000000000000000000000000000000000000000000000000003ca6088f6bb785c352c217af7f9cd8b9"
)
PASSPHRASE_RING = b"""{
 "format": 1,
 "kdf": "scrypt",
 "n": 32768,
 "r": 8,
 "p": 3,
 "salt": "AAECAwQFBgcICQoLDA0ODw==",
 "nonce": "AAECAwQFBgcICQoL",
 "sealed": "nsO7obZUDP6V5eLuPTAokLz2NjLjZg0E5sSF7vhV5AJrNpH5SL1h6FP/3slDlQkdteiLjZ97EqRJjszLGA=="
}
"""


def ring(text):
    return parse_ring(text, source="env", where="the vector")


def test_a_frozen_envelope_opens():
    assert unseal(ring(KEY), ENTRY, ENVELOPE) == PLAINTEXT


def test_a_frozen_empty_envelope_opens():
    assert unseal(ring(EMPTY_KEY), "", EMPTY_ENVELOPE) == b""


def test_a_frozen_plaintext_reads_as_an_entry_whose_later_fields_have_their_defaults():
    entry = Entry.from_bytes(PLAINTEXT)
    assert (entry.generation, entry.access_token, entry.refresh_token) == (7, "frozen-access", "frozen-refresh")
    assert entry.refused is None
    assert entry.rotates is None


def test_key_ids_are_what_they_have_always_been():
    assert key_id(base64.b64decode(KEY)).hex() == "33c15e8beb7f8f5f"
    assert key_id_of(ENVELOPE) == "33c15e8beb7f8f5f"


def test_the_page_on_the_format_is_enough_to_open_an_envelope():
    """Written after docs/reference/cache-format.md, from the standard library's HMAC (RFC 5869) and AES-GCM alone."""
    header, ciphertext = ENVELOPE[:41], ENVELOPE[41:]
    salt, nonce = header[13:29], header[29:41]
    pseudorandom = hmac.digest(salt, base64.b64decode(KEY), hashlib.sha256)
    key = hmac.digest(pseudorandom, b"lakekey entry v1" + ENTRY.encode() + b"\x01", hashlib.sha256)
    assert header[:5] == b"LKEY\x01"
    assert AESGCM(key).decrypt(nonce, ciphertext, header + ENTRY.encode()) == PLAINTEXT


def test_a_frozen_ring_under_a_passphrase_opens(tmp_path):
    file = tmp_path / "passphrase.ring"
    file.touch(mode=0o600)
    file.write_bytes(PASSPHRASE_RING)
    source = PassphraseRing(FileStore(str(tmp_path)), {"LAKEKEY_PASSPHRASE": "correct horse battery staple"})
    assert parse_ring(source.read(), source="passphrase", where="") == ring(KEY)._replace(source="passphrase", where="")


def test_the_page_on_the_format_is_enough_to_open_a_ring_under_a_passphrase():
    fields = json.loads(PASSPHRASE_RING)
    salt, nonce, sealed = (base64.b64decode(fields[name]) for name in ("salt", "nonce", "sealed"))
    key = hashlib.scrypt(
        b"correct horse battery staple", salt=salt, n=fields["n"], r=fields["r"], p=fields["p"], dklen=32,
        maxmem=2**26,
    )  # fmt: skip
    assert AESGCM(key).decrypt(nonce, sealed, b"lakekey ring v1 passphrase").decode().strip() == KEY
