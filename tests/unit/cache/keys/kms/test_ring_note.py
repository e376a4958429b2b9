"""The note of the wrapped rings: what is written comes back, and what is damaged is none."""

import base64
import json

import pytest

from lakekey.cache.keys.kms.ring_note import Record, is_newer, made_with, records_in, to_bytes

FIRST = Record(2, "aws:k", "cache", b"wrapped", b"sealed")
SECOND = Record(1, "one", "", b"other", b"")


@pytest.mark.parametrize("records", [[FIRST], [FIRST, SECOND]])
def test_rings_come_back_as_they_were_written(records):
    content = to_bytes(records)
    assert records_in(content) == records
    assert made_with(content) == [(record.kms, record.cache) for record in records]
    assert ("others" in json.loads(content)) == (len(records) > 1)
    assert content.startswith(b'{\n "format"') and content.endswith(b"}\n")


def test_key_and_ring_are_base64_in_one_line():
    note = json.loads(to_bytes([FIRST]))
    assert (note["wrapped"], note["sealed"]) == tuple(base64.b64encode(each).decode() for each in FIRST[-2:])


def test_ring_of_the_first_releases_has_no_cache_and_no_seal():
    note = {"format": 1, "kms": "one", "wrapped": "b3RoZXI="}
    assert records_in(json.dumps(note).encode()) == [SECOND]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 2, "kms": "k", "wrapped": 1}'])
def test_what_is_damaged_has_no_rings(content):
    assert records_in(content) == made_with(content) == []
    assert not is_newer(content)
    assert made_with(None) == []


@pytest.mark.parametrize(("version", "newer"), [(2, False), (3, True), ("3", False), (None, False)])
def test_later_release_is_known_by_its_number(version, newer):
    assert is_newer(json.dumps({"format": version}).encode()) is newer


def test_ring_is_shown_without_its_key():
    assert repr(FIRST) == "Record(aws:k, cache cache)"
