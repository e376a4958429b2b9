"""The envelope under every kind of damage: it never opens, and nothing but its own errors comes out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import HEADER_BYTES, BadEnvelope, NewerEnvelope, UnknownKey, key_id_of, seal, unseal
from lakekey.cache.keys.ring import KeyRing, key_id

KEYS = [bytes([number]) * 32 for number in (1, 2)]
RING = KeyRing({key_id(KEYS[0]): KEYS[0]}, key_id(KEYS[0]), "file", "a test")
BOTH = RING._replace(keys={key_id(key): key for key in KEYS})
IDS = st.text(st.sampled_from("0123456789abcdef"), min_size=64, max_size=64)
PLAINTEXTS = st.binary(max_size=200)


def refused(ring, entry_id, envelope):
    try:
        unseal(ring, entry_id, envelope)
    except (BadEnvelope, NewerEnvelope, UnknownKey):
        return True
    return False


@given(IDS, PLAINTEXTS)
def test_what_was_sealed_opens_under_its_name(entry_id, plaintext):
    assert unseal(RING, entry_id, seal(RING, entry_id, plaintext)) == plaintext


@given(IDS, PLAINTEXTS)
def test_two_envelopes_of_one_plaintext_share_neither_salt_nor_nonce_nor_ciphertext(entry_id, plaintext):
    first, second = seal(RING, entry_id, plaintext), seal(RING, entry_id, plaintext)
    assert first[13:29] != second[13:29]
    assert first[29:41] != second[29:41]
    assert first[41:] != second[41:]


def test_no_envelope_opens_with_any_single_bit_flipped():
    envelope = seal(RING, "e", b'{"access_token":"t"}')
    opened = []
    for bit in range(len(envelope) * 8):
        damaged = bytearray(envelope)
        damaged[bit // 8] ^= 1 << bit % 8
        if not refused(BOTH, "e", bytes(damaged)):
            opened.append(bit)
    assert opened == []


def test_no_part_of_an_envelope_opens():
    envelope = seal(RING, "e", b"token")
    assert [end for end in range(len(envelope)) if not refused(RING, "e", envelope[:end])] == []
    assert [start for start in range(1, len(envelope)) if not refused(RING, "e", envelope[start:])] == []


@given(IDS, IDS, PLAINTEXTS)
def test_an_envelope_does_not_open_under_another_name(entry_id, other, plaintext):
    assert entry_id == other or refused(RING, other, seal(RING, entry_id, plaintext))


@given(PLAINTEXTS, st.binary(min_size=1, max_size=100))
def test_nothing_can_be_put_before_or_behind_an_envelope(plaintext, addition):
    envelope = seal(RING, "e", plaintext)
    assert refused(RING, "e", envelope + addition)
    assert refused(RING, "e", addition + envelope)


@given(PLAINTEXTS, PLAINTEXTS)
def test_two_envelopes_do_not_open_as_one(first, second):
    one, two = seal(RING, "e", first), seal(RING, "e", second)
    assert refused(RING, "e", one + two)
    assert refused(RING, "e", one[:HEADER_BYTES] + two[HEADER_BYTES:])


@given(PLAINTEXTS)
def test_an_envelope_that_names_another_key_of_the_ring_does_not_open(plaintext):
    envelope = seal(BOTH, "e", plaintext)
    assert refused(BOTH, "e", envelope[:5] + key_id(KEYS[1]) + envelope[13:])


@given(st.binary(max_size=400))
def test_no_bytes_from_elsewhere_open(noise):
    assert refused(BOTH, "e", noise)
    assert refused(BOTH, "e", b"LKEY\x01" + RING.current + noise)


def test_an_unknown_key_is_distinguished_from_damage():
    other = RING._replace(keys={key_id(KEYS[1]): KEYS[1]}, current=key_id(KEYS[1]))
    with pytest.raises(UnknownKey) as caught:
        unseal(other, "e", seal(RING, "e", b"token"))
    assert caught.value.key_id == RING.current.hex()


def test_an_envelope_of_a_later_version_is_named_as_one():
    envelope = seal(RING, "e", b"token")
    with pytest.raises(BadEnvelope, match="version 2"):
        unseal(RING, "e", envelope[:4] + b"\x02" + envelope[5:])


@given(st.binary(max_size=64))
def test_the_key_id_of_anything_can_be_asked_for(noise):
    assert key_id_of(noise) == (noise[5:13].hex() if noise.startswith(b"LKEY") else "")


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_a_plaintext_that_is_not_an_entry_is_a_value_error_or_type_error(noise):
    with pytest.raises((ValueError, TypeError)):
        Entry.from_bytes(noise)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
            for name in Entry._fields
        },
    )
)
def test_an_entry_with_nonsense_in_its_fields_reads_or_is_refused(fields):
    try:
        entry = Entry.from_bytes(json.dumps({"format": 1, **fields}).encode())
    except (ValueError, TypeError):
        return
    assert Entry.from_bytes(entry.to_bytes()) == entry
    assert all(isinstance(value, int | float) for value in (entry.expires_at, entry.issued_at, entry.generation))
    assert all(isinstance(value, str) for value in (entry.access_token, entry.refresh_token, entry.proof))
