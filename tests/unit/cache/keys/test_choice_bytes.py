"""The bytes of ``cache.json``, which every release has to read, and what is not a choice."""

import json

import pytest

from lakekey.cache.keys.choice import Damaged, KeyChoice, parse


def test_choice_has_the_same_bytes_in_every_release():
    choice = KeyChoice("kms", 'it was "asked" for', "then", "0123", kms="vault:transit/one", rotations=2, cache="c")
    content = choice.to_bytes()
    check = json.loads(content)["check"]
    assert content.decode().splitlines() == [
        "{",
        ' "format": 1,',
        f' "check": "{check}",',
        ' "source": "kms",',
        ' "why": "it was \\"asked\\" for",',
        ' "since": "then",',
        ' "current": "0123",',
        ' "kms": "vault:transit/one",',
        ' "rotations": 2,',
        ' "cache": "c"',
        "}",
    ]
    assert check == "3cdda2347af263aa"
    assert parse(content, "cache.json") == choice


@pytest.mark.parametrize(
    "fields",
    [
        {"format": 1, "source": 3, "why": ""},
        {"format": 1, "source": "file", "why": "", "rotations": "2"},
        {"format": 0, "source": "file", "why": ""},
        {"format": "1", "source": "file", "why": ""},
        {"source": "file", "why": ""},
        {"format": 1, "why": ""},
        {"format": 1, "source": "file"},
    ],
)
def test_what_no_release_wrote_is_damaged(fields):
    with pytest.raises(Damaged):
        parse(json.dumps(fields).encode(), "cache.json")
