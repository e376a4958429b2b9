"""Many processes on one store: every put is a compare-and-swap, and a killed writer leaves the old or the new."""

import os
import signal
import time
from contextlib import suppress

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.file import FileStore
from support.cache_processes import KILLED_ITSELF, PATIENCE, run, start

NAME = "a" * 64
OTHER = "b" * 64
ON_WINDOWS = pytest.mark.on_windows


def test_of_many_writers_at_once_each_succeeds_exactly_as_often_as_it_says(bare_machine):
    code = """
cache, done = open_cache(), 0
for _ in range(40):
    with locked(cache, sys.argv[1]):
        stored = cache.read(sys.argv[1])
        generation = stored.entry.generation if stored.entry else 0
        done += bool(cache.put(sys.argv[1], Entry({}, generation=generation + 1), replaces=stored.envelope))
say(done)
"""
    writers = [start(bare_machine / "cache", code, NAME) for _ in range(6)]
    said = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert open_cache().get(NAME).generation == sum(said) == 240


def test_a_put_on_what_is_there_no_more_changes_nothing(bare_machine):
    cache = open_cache()
    assert cache.put(NAME, Entry({}, generation=1), replaces=None)
    seen = cache.read(NAME)
    assert cache.put(NAME, Entry({}, generation=2), replaces=seen.envelope)
    assert not cache.put(NAME, Entry({}, generation=9), replaces=seen.envelope)
    assert not cache.put(NAME, Entry({}, generation=9), replaces=None)
    assert not cache.delete(NAME, replaces=seen.envelope)
    assert cache.get(NAME).generation == 2


@pytest.mark.on_windows
def test_readers_without_a_lock_see_only_whole_entries_while_writers_replace_them(bare_machine):
    cache = open_cache()
    assert cache.put(NAME, Entry({}, generation=1), replaces=None)
    enough = 300 if os.name == "posix" else 30  # Wine is slow
    code = """
cache, enough = open_cache(), told()
say("ready")
while not enough.is_set():
    with locked(cache, sys.argv[1]):
        stored = cache.read(sys.argv[1])
        padding = "x" * (stored.entry.generation % 7 * 1000)
        cache.put(
            sys.argv[1],
            stored.entry._replace(generation=stored.entry.generation + 1, access_token=padding),
            replaces=stored.envelope,
        )
"""
    writers = [start(bare_machine / "cache", code, NAME) for _ in range(2)]
    for writer in writers:
        writer.stdout.readline()
    seen, entry = set(), cache.get(NAME)
    deadline = time.monotonic() + PATIENCE
    while len(seen) < enough and time.monotonic() < deadline:
        before, entry = entry, cache.get(NAME)
        assert entry.generation >= before.generation
        assert len(entry.access_token) == (entry.generation - 1) % 7 * 1000 or entry.generation == 1
        seen.add(entry.generation)
    for writer in writers:
        assert writer.communicate("\n", timeout=60)[1] == ""
    assert len(seen) == enough
    assert not [name for name in os.listdir(bare_machine / "cache" / "entries") if name.endswith((".bad", ".tmp"))]


# Where a writer is killed: at the nth call of a system call's wrapper, before or after it.
KILLED_WRITER = """
cache = open_cache()
stored = cache.read(sys.argv[1])
call, when = sys.argv[2], sys.argv[3]
original = getattr(os, call)
def killed(*arguments, **options):
    if when == "half":
        original(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        os.kill(os.getpid(), 9)
    if when == "before":
        os.kill(os.getpid(), 9)
    original(*arguments, **options)
    os.kill(os.getpid(), 9)
with cache.lock(sys.argv[1]):
    setattr(os, call, killed)
    cache.put(sys.argv[1], Entry({}, generation=2, refresh_token="new"), replaces=stored.envelope)
"""


@pytest.mark.parametrize(
    ("call", "when", "left"),
    [
        ("write", "before", "old"), pytest.param("write", "half", "old", marks=ON_WINDOWS), ("write", "after", "old"),
        ("fsync", "before", "old"), ("fsync", "after", "old"),
        *(pytest.param("replace", *end, marks=ON_WINDOWS) for end in (("before", "old"), ("after", "new"))),
    ],
)  # fmt: skip
def test_a_writer_killed_at_any_point_leaves_the_old_or_the_new_and_no_lock(bare_machine, call, when, left):
    cache = open_cache()
    assert cache.put(NAME, Entry({}, generation=1, refresh_token="old"), replaces=None)
    writer = start(bare_machine / "cache", KILLED_WRITER, NAME, call, when)
    writer.communicate(timeout=PATIENCE)
    assert writer.returncode == KILLED_ITSELF
    with cache.lock(NAME) as held:
        assert held
        stored = cache.read(NAME)
        assert stored.entry.refresh_token == left
        assert [path.name for path in (bare_machine / "cache" / "entries").glob("*.tmp")] == [], "it was not cleared up"
        assert cache.put(NAME, Entry({}, generation=3, refresh_token="next"), replaces=stored.envelope)
    assert cache.get(NAME).refresh_token == "next"


def test_a_writer_killed_as_it_looked_for_room_leaves_nothing_either(bare_machine):
    code = """
import signal
cache = open_cache()
os.unlink = lambda path: os.kill(os.getpid(), signal.SIGKILL) if path.endswith(".tmp") else None
with cache.lock(sys.argv[1]):
    say("locked")
"""
    cache = open_cache()
    writer = start(bare_machine / "cache", code, NAME)
    assert writer.communicate(timeout=60)[0] == ""
    assert writer.returncode == -signal.SIGKILL
    entries = bare_machine / "cache" / "entries"
    (left,) = entries.glob("*.tmp")
    assert left.stat().st_size > 0
    with cache.lock(NAME) as held:
        assert held
    assert list(entries.glob("*.tmp")) == []


def test_a_write_that_a_sibling_took_for_a_left_one_is_written_again(bare_machine, monkeypatch):
    """Where the lock does not hold, as on some network file systems."""
    cache, sibling = open_cache(), open_cache()
    replace, taken = os.replace, []

    def late(temporary, path):
        if not taken:
            taken.append(temporary)
            locks = sibling.store._locks
            line = locks._line(NAME)
            with line.is_first():
                locks._succeed(NAME, line)
            assert not os.path.exists(temporary)
        replace(temporary, path)

    with cache.lock(NAME) as held:
        assert held
        monkeypatch.setattr(os, "replace", late)
        assert cache.put(NAME, Entry({}, generation=1, refresh_token="kept"), replaces=None)
    assert taken
    assert cache.keeps(NAME), "it is in this process's memory only"
    assert sibling.get(NAME).refresh_token == "kept"
    assert list((bare_machine / "cache" / "entries").glob("*.tmp")) == []


@pytest.mark.parametrize("note", ["", "4711", "4711.", ".ab", "4711.../../x", "x.y", "\0"])
def test_damaged_note_of_a_holder_names_no_process_and_removes_nothing(bare_machine, note):
    cache = open_cache()
    assert cache.put(NAME, Entry({}, generation=1), replaces=None)
    entries = bare_machine / "cache" / "entries"
    for name in (f"{NAME}.entry.{note}.tmp", "x.tmp"):
        with suppress(OSError, ValueError):
            os.close(os.open(entries / name, os.O_CREAT, 0o600))
    files = set(os.listdir(entries))
    os.close(os.open(entries / f"{NAME}.holder", os.O_CREAT, 0o600))
    (entries / f"{NAME}.holder").write_text(note)
    assert cache.store.holder(NAME) is None
    with cache.lock(NAME) as held:
        assert held
    assert files <= set(os.listdir(entries))


def test_what_killed_writers_left_is_swept_up_later_and_what_living_ones_write_is_not(bare_machine):
    cache = open_cache()
    assert cache.put(NAME, Entry({}, generation=1), replaces=None)
    writer = start(bare_machine / "cache", KILLED_WRITER, NAME, "fsync", "before")
    writer.communicate(timeout=60)
    entries = bare_machine / "cache" / "entries"
    (left,) = [path for path in entries.iterdir() if path.name.endswith(".tmp")]
    assert cache.list() == [NAME]
    assert left.exists()
    an_hour_ago = time.time() - 3600
    os.utime(left, (an_hour_ago, an_hour_ago))
    assert cache.list() == [NAME]
    assert not left.exists()


def test_a_lock_says_who_holds_it_and_is_free_as_soon_as_its_holder_is_killed(bare_machine):
    cache = open_cache()
    code = "cache = open_cache()\nwith locked(cache, sys.argv[1]):\n    say('held')\n    sys.stdin.readline()"
    holder = start(bare_machine / "cache", code, NAME)
    holder.stdout.readline()
    with cache.lock(NAME) as held:
        assert not held
    with cache.lock(OTHER) as held:
        assert held
    assert cache.store.holder(NAME) == f"process {holder.pid}"
    holder.kill()
    holder.communicate(timeout=60)
    with cache.lock(NAME) as held:
        assert held


def test_ten_thousand_entries_cost_a_reader_no_more_than_one(bare_machine):
    few, many = (FileStore(str(bare_machine / name)) for name in ("few", "many"))
    for store in (few, many):
        store.prepare()
        assert store.put(NAME, b"x" * 500, replaces=None)
    entries = bare_machine / "many" / "entries"
    for number in range(10_000):
        with open(
            entries / f"{number:064x}.entry", "xb", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as file:
            file.write(b"x" * 500)

    def least(call, repeats):
        took = []
        for _ in range(repeats):
            began = time.perf_counter()
            call()
            took.append(time.perf_counter() - began)
        return min(took)  # what it costs, whatever else the machine does meanwhile

    for call, repeats in ((lambda store: store.get(NAME), 500), (lambda store: store.prepare(), 200)):
        one, ten_thousand = (least(lambda s=store, c=call: c(s), repeats) for store in (few, many))
        assert ten_thousand < 3 * one + 50e-6
    assert len(many.list()) == 10_001


def test_neither_reading_nor_locking_nor_writing_an_entry_looks_at_the_others(bare_machine):
    code = """
listings = []
sys.addaudithook(lambda event, _: listings.append(event) if event in ("os.listdir", "os.scandir") else None)
import filelock
open_cache().begin()
listings.clear()
cache = open_cache()
with locked(cache, sys.argv[1]):
    stored = cache.read(sys.argv[1])
    cache.put(sys.argv[1], Entry({}, generation=1), replaces=stored.envelope)
    cache.delete(sys.argv[1], replaces=cache.read(sys.argv[1]).envelope)
say(listings)
cache.list()
say(len(listings) > 0)
"""
    assert run(bare_machine / "cache", code, NAME).split("\n")[:2] == ["[]", "True"]


def test_files_are_private_whatever_the_umask_of_the_process(bare_machine):
    code = "os.umask(0)\ncache = open_cache()\nwith locked(cache, sys.argv[1]):\n    cache.put(sys.argv[1], Entry({}), replaces=None)"
    run(bare_machine / "cache", code, NAME)
    modes = {}
    for directory, _, files in os.walk(bare_machine / "cache"):
        modes[directory] = os.stat(directory).st_mode & 0o777
        modes |= {name: os.stat(os.path.join(directory, name)).st_mode & 0o777 for name in files}
    assert {name: mode for name, mode in modes.items() if mode not in (0o600, 0o700)} == {}
