"""A cache that the first release wrote opens for ever: its bytes, frozen. Never regenerate them."""

import base64
import json
import os

import pytest

from lakekey.cache import durable_files, private_files
from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate

NAME = "a" * 64
CHOICE = b'{\n "format": 1,\n "source": "file",\n "why": "LAKEKEY_KEY_SOURCE asks for it",\n "since": "2026-11-29T08:06:48+00:00",\n "current": "ee11bf408949db5a"\n}\n'
KEY_FILE = b"""\
# The master key of the lakekey token cache. Whoever reads it can read the tokens beside it.
W2z1ixeQy11ShEdyKI6Ialwqas/9vds0Y3DsLRKbRkM=
"""
ENTRY = base64.b64decode(
    "TEtFWQHuEb9AiUnbWnAstGaTTwNHD0d4bl0JoI50u0BABF+T6j4IV5tNgvxcN/zyqAOAvEhRFkIiG+310Ckk7Tv5XP69wG7uPvhm"
    "z+dL0h3oj02QFLAqjzbBPZw1ZPBtN50WIuJdgsLNoxMNYn94xdDeUwvIniHSk4zYn9sGvfbcltzh8SPivxu8PHQDu148t42lDqrx"
    "KbqQ6Jnx3ZVFilHIaBYevrRR4ZSU9t3yIXvJ2HXKmdjUxo1xzMxWFKOyLq9CH/qyub7iD7f9MzNKmIshfMCAqS4tAi5Y1dgKGB0J"
    "VZglNHMnAWykWy7PpxLUi/nHg3+Z8yyy4v+K2ifBEPa6hp9IA07O69TjRBDcT+thMlJioJDVHnoxSQaXdvJkoa5pOOjfileCr3IK"
    "0jTNRFlr5QeOoZCZK1OqP2632u3UAQI5r9XZgxOqxjqUW9erkHWpK/N2uzR0b81hRIYU72nccKoKRRvGDJ6qAEqnZ4BdvdgOvt7C"
    "3u08JENyAG4RsxxkIOX8f097WKI5gaMP49hDgjNF1o+s4anpIB+uO1015W7tsinVv2+boqedL8ujObj2Ya9GcJz6SQgc9fNUEm1/"
    "aWFm0NI="
)


@pytest.fixture
def environ(tmp_path):
    os.chmod(tmp_path, 0o700)
    directory = tmp_path / "cache"
    private_files.ensure_directory(str(directory / "entries"))
    for name, content in (("cache.json", CHOICE), ("master.key", KEY_FILE), (f"entries/{NAME}.entry", ENTRY)):
        durable_files.replace(str(directory / name), content)
    return {"HOME": str(tmp_path), "LAKEKEY_CACHE_DIR": str(directory)}


def test_cache_of_the_first_release_opens(environ):
    cache = open_cache(environ)
    entry = cache.get(NAME)
    assert (entry.access_token, entry.refresh_token, entry.generation) == ("access-a", "refresh-a", 7)
    assert (entry.identity, entry.scopes, entry.kind) == ("ada@example.com", ("all-apis",), "session")
    assert (cache.ring.source, cache.ring.current.hex()) == ("file", "ee11bf408949db5a")


def test_cache_of_the_first_release_is_written_and_rotated(environ):
    cache = open_cache(environ)
    stored = cache.read(NAME)
    assert cache.put(NAME, stored.entry, replaces=stored.envelope).entry.generation == 8
    assert rotate(cache).resealed == 1
    assert open_cache(environ).get(NAME).refresh_token == "refresh-a"


def test_first_release_reads_what_this_one_writes(environ, tmp_path):
    """It asked of an entry and of the choice: format 1, these fields of these kinds, and ignored all others."""
    cache = open_cache(environ)
    cache.put(NAME, Entry({"host": "https://x"}, refresh_token="r"), replaces=cache.read(NAME).envelope)
    rotate(cache)
    written = json.loads(cache.open(NAME, cache.store.get(NAME)))
    old = json.loads(open_cache(environ).open(NAME, cache.store.get(NAME)))
    assert written == old
    assert written["format"] == 1
    assert cache.store.get(NAME)[:5] == b"LKEY\x01"
    choice = json.loads((tmp_path / "cache" / "cache.json").read_bytes())
    assert choice["format"] == 1
    assert {name: type(choice[name]) for name in ("source", "why", "since", "current", "rotations")} == {
        "source": str, "why": str, "since": str, "current": str, "rotations": int,
    }  # fmt: skip
