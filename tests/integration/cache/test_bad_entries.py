"""A bad entry loses only itself: it is set aside, reported once, and never in place of a good one."""

import contextlib
import os
import threading

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import seal
from lakekey.cache.opening import open_cache
from lakekey.errors import CacheError, UnsafeCache
from support.cache_processes import start

pytestmark = pytest.mark.on_windows

NAME = "a" * 64
OTHER = "b" * 64


@contextlib.contextmanager
def locked(cache):
    while True:
        with cache.lock(NAME) as held:
            if held:
                yield
                return


@pytest.fixture
def cache(bare_machine):
    cache = open_cache()
    assert cache.put(OTHER, Entry({}, refresh_token="kept"), replaces=None)
    return cache


def spoil(cache, content, name=NAME):
    path = cache.store.place(name)
    with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(content)


def bad_contents(cache):
    good = seal(cache.ring, NAME, Entry({}, refresh_token="t").to_bytes())
    return {
        "empty": b"",
        "text": b"{}",
        "truncated": good[:-1],
        "one bit off": good[:-1] + bytes([good[-1] ^ 1]),
        "two in one": good + good,
        "of another entry": cache.store.get(OTHER),
        "no entry inside": seal(cache.ring, NAME, b"{}"),
        "of the wrong kind inside": seal(cache.ring, NAME, b'{"format":1,"about":{},"expires_at":"soon"}'),
        "enormous": good + bytes(3 << 20),
    }


@pytest.mark.parametrize("kind", [
    "empty", "text", "truncated", "one bit off", "two in one", "of another entry", "no entry inside",
    "of the wrong kind inside", "enormous",
])  # fmt: skip
def test_it_counts_as_none_and_is_set_aside_with_its_content_and_the_others_stay(cache, kind, caplog):
    content = bad_contents(cache)[kind]
    spoil(cache, content)
    assert cache.get(NAME) is None
    aside = cache.store.place(NAME).replace(".entry", ".bad")
    with open(aside, "rb") as file:
        assert file.read() == content
    assert aside in caplog.text
    assert cache.get(OTHER).refresh_token == "kept"
    assert cache.list() == [OTHER]
    assert cache.put(NAME, Entry({}, refresh_token="dose-newer-token"), replaces=None)
    assert cache.get(NAME).refresh_token == "dose-newer-token"


def test_a_second_bad_one_takes_the_place_of_the_first_and_is_reported_too(cache, caplog):
    for content in (b"first", b"second"):
        spoil(cache, content)
        assert cache.get(NAME) is None
    with open(cache.store.place(NAME).replace(".entry", ".bad"), "rb") as file:
        assert file.read() == b"second"
    assert caplog.text.count("set aside") == 2


def test_under_the_entrys_own_lock_it_is_set_aside_as_well(cache):
    spoil(cache, b"bad")
    with cache.lock(NAME) as held:
        assert held
        assert cache.read(NAME) == (None, None, True)
        assert cache.put(NAME, Entry({}, refresh_token="dose-newer-token"), replaces=None)
    assert cache.get(NAME).refresh_token == "dose-newer-token"


def test_lock_of_another_thread_is_left_to_it(cache, bare_machine):
    code = "cache = open_cache()\nwith locked(cache, sys.argv[1]):\n    say('held')\n    sys.stdin.readline()"
    holder = start(bare_machine / "cache", code, NAME)
    holder.stdout.readline()
    spoil(cache, b"bad")
    assert cache.get(NAME) is None
    assert cache.store.get(NAME) == b"bad"
    holder.communicate("\n", timeout=60)
    assert cache.get(NAME) is None
    assert cache.store.get(NAME) is None


def test_another_thread_that_reads_without_the_lock_leaves_it_to_the_thread_that_holds_it(cache):
    spoil(cache, b"bad")
    seen = []
    with cache.lock(NAME):
        thread = threading.Thread(target=lambda: seen.append((cache.get(NAME), cache.store.get(NAME))))
        thread.start()
        thread.join()
    assert seen == [(None, b"bad")]


def test_a_good_entry_that_has_come_in_its_place_is_not_set_aside(cache):
    spoil(cache, b"bad")
    assert cache.store.delete(NAME, replaces=b"bad")
    assert cache.put(NAME, Entry({}, refresh_token="good"), replaces=None)
    assert cache.store.set_aside(NAME, b"bad") is None
    assert cache.get(NAME).refresh_token == "good"


def test_readers_and_writers_of_an_entry_that_goes_bad_again_and_again_never_lose_a_good_one(cache, bare_machine):
    code = """
cache, over = open_cache(), told()
say("ready")
while not over.is_set():
    cache.get(sys.argv[1])
"""
    readers = [start(bare_machine / "cache", code, NAME) for _ in range(3)]
    for reader in readers:
        reader.stdout.readline()
    lost = 0
    for number in range(60):
        with locked(cache):
            spoil(cache, b"bad %d" % number)
            stored = cache.read(NAME)
            assert cache.put(NAME, Entry({}, generation=number), replaces=stored.envelope)
            lost += cache.get(NAME) is None
    lost += cache.get(NAME) is None
    for reader in readers:
        reader.communicate("\n", timeout=60)
        assert reader.returncode == 0
    assert lost == 0


def test_one_that_cannot_be_moved_away_is_reported_once_and_written_over(cache, caplog):
    spoil(cache, b"garbage")
    os.mkdir(f"{cache.store.where}/entries/{NAME}.bad")
    with locked(cache):
        assert cache.get(NAME) is None
        stored = cache.read(NAME)
        assert cache.put(NAME, Entry({}, refresh_token="new"), replaces=stored.envelope)
    assert cache.get(NAME).refresh_token == "new"
    assert caplog.text.count("cannot be moved away") == 1


@pytest.mark.posix_owners
def test_entry_open_to_others_is_refused_alone_with_the_command_that_fixes_it(cache):
    assert cache.put(NAME, Entry({}), replaces=None)
    os.chmod(cache.store.place(NAME), 0o644)
    with pytest.raises(UnsafeCache) as caught:
        cache.get(NAME)
    assert caught.value.hint == f"chmod 600 {cache.store.place(NAME)}"
    assert cache.get(OTHER).refresh_token == "kept"


def test_a_directory_in_the_place_of_an_entry_is_an_error_of_ours(cache):
    os.mkdir(cache.store.place(NAME), 0o700)
    with pytest.raises(CacheError):
        cache.get(NAME)
