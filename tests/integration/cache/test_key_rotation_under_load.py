"""The master key is changed while other processes read, write and make entries; nothing is lost, nothing is missed."""

import os

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.envelope import key_id_of
from lakekey.cache.keys.ring import format_ring, new_key
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.errors import ConfigurationError, KeyUnavailable, UnsafeCache
from support.cache_processes import KILLED_ITSELF, PATIENCE, ROTATES_UNTIL_KILLED, run, start

# Counts an entry up until it is told to stop, making a new entry now and then; says how often.
WORKER = """
cache, name, over = open_cache(), sys.argv[1], told()
count = cache.get(name).generation
say("ready")
while not over.is_set():
    with locked(cache, name):
        stored = cache.read(name)
        assert stored.entry is not None, "the entry is gone"
        assert stored.entry.generation == count, (stored.entry.generation, count)
        count += 1
        assert cache.put(name, stored.entry._replace(generation=count), replaces=stored.envelope)
    if count % 20 == 0:
        made = entry_id({"made by": name, "count": count})
        assert cache.put(made, Entry({}, access_token="t"), replaces=None)
        assert cache.get(made).access_token == "t"
say(count)
"""


def name(number):
    return f"{number:064x}"


def fill(cache, count):
    for number in range(count):
        assert cache.put(name(number), Entry({}, refresh_token=f"token {number}"), replaces=None)


def key_ids(cache):
    return {key_id_of(cache.store.get(entry_id)) for entry_id in cache.list()}


@pytest.mark.on_windows
def test_rotations_while_processes_write_lose_no_write_and_leave_one_key(bare_machine):
    directory = bare_machine / "cache"
    cache = open_cache()
    fill(cache, 3)
    workers = [start(directory, WORKER, name(number)) for number in range(3)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
    for _ in range(4):
        done = rotate(cache)
        assert (done.busy, done.unreadable, len(done.dropped)) == ((), (), 1)
    counts = []
    for worker in workers:
        said, complained = worker.communicate("stop\n", timeout=PATIENCE)
        assert worker.returncode == 0, complained
        counts.append(int(said))
    assert min(counts) > 1
    fresh = open_cache()
    assert key_ids(fresh) == {done.current}
    assert [fresh.get(name(number)).generation for number in range(3)] == counts
    assert len(fresh.ring.keys) == 1


@pytest.mark.on_windows
def test_a_running_process_reads_what_was_sealed_under_a_key_it_has_not_seen(bare_machine):
    before, other = open_cache(), open_cache()
    fill(other, 1)
    rotate(other)
    assert before.get(name(0)).refresh_token == "token 0"


@pytest.mark.on_windows
def test_a_running_process_seals_under_the_new_key_at_once(bare_machine):
    before, other = open_cache(), open_cache()
    done = rotate(other)
    assert before.put(name(0), Entry({}), replaces=None)
    assert key_ids(other) == {done.current}


# The steps of a rotation at which a process may be killed: each function, before and after it does its work.
STEPS = [
    ("lakekey.cache.keys.file", "KeyFile.write"),
    ("lakekey.cache.rotation", "write_choice"),
    ("lakekey.cache.stores.file", "FileStore.put"),
    ("lakekey.cache.durable_files", "remove"),
]


@pytest.mark.parametrize("nth", [pytest.param(1, marks=pytest.mark.on_windows), 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "function"), STEPS, ids=[function for _, function in STEPS])
def test_a_rotation_killed_at_any_step_leaves_a_cache_that_opens_and_is_continued(
    bare_machine, module, function, when, nth
):
    fill(open_cache(), 4)
    child = start(bare_machine / "cache", ROTATES_UNTIL_KILLED, module, function, when, str(nth), "")
    child.communicate(timeout=PATIENCE)
    assert child.returncode == KILLED_ITSELF
    cache = open_cache()
    assert [cache.get(name(number)).refresh_token for number in range(4)] == [f"token {n}" for n in range(4)]
    assert cache.put(name(9), Entry({}, refresh_token="token 9"), replaces=None)
    interrupted = len(cache.ring.keys) > 1
    done = rotate(cache)
    assert done.continued is interrupted
    fresh = open_cache()
    assert key_ids(fresh) == {done.current}
    assert len(fresh.ring.keys) == 1
    assert {fresh.get(entry_id).refresh_token for entry_id in fresh.list()} == {f"token {n}" for n in (0, 1, 2, 3, 9)}


MOVE = [
    ("lakekey.cache.keys.passphrase", "PassphraseRing.write", "after", 1),
    ("lakekey.cache.rotation", "write_choice", "before", 1),
    ("lakekey.cache.rotation", "write_choice", "after", 1),
    ("lakekey.cache.stores.file", "FileStore.put", "after", 1),
    ("lakekey.cache.durable_files", "remove", "before", 1),
]


@pytest.mark.parametrize(
    ("module", "function", "when", "nth"), MOVE, ids=[f"{name}-{when}" for _, name, when, _ in MOVE]
)
def test_a_move_to_another_source_killed_at_any_step_is_finished_by_the_next(
    bare_machine, module, function, when, nth, monkeypatch
):
    fill(open_cache(), 2)
    monkeypatch.setenv("LAKEKEY_PASSPHRASE", "correct horse battery staple")
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "passphrase")
    settings = {name: os.environ[name] for name in ("LAKEKEY_PASSPHRASE", "LAKEKEY_KEY_SOURCE")}
    child = start(
        bare_machine / "cache", ROTATES_UNTIL_KILLED, module, function, when, str(nth), "passphrase", **settings
    )
    child.communicate(timeout=PATIENCE)
    assert child.returncode == KILLED_ITSELF
    rotate(open_cache(moving=True), to="passphrase")
    cache = open_cache()
    assert [cache.get(name(number)).refresh_token for number in range(2)] == ["token 0", "token 1"]
    assert (cache.ring.source, len(cache.ring.keys)) == ("passphrase", 1)
    assert not (bare_machine / "cache" / "master.key").exists()


def test_an_entry_that_is_held_all_the_time_keeps_the_old_key_until_the_next_rotation(bare_machine):
    cache = open_cache()
    fill(cache, 2)
    code = "cache = open_cache()\nwith locked(cache, sys.argv[1]):\n    say('held')\n    sys.stdin.readline()"
    holder = start(bare_machine / "cache", code, name(0))
    assert holder.stdout.readline() == "held\n"
    done = rotate(cache, patience=0.2)
    assert (done.busy, done.resealed, done.dropped) == ((name(0),), 1, ())
    assert open_cache().get(name(0)).refresh_token == "token 0"
    holder.communicate("\n", timeout=PATIENCE)
    again = rotate(cache)
    assert (again.continued, again.resealed, len(again.dropped)) == (True, 1, 1)


def test_entries_that_no_key_opens_are_counted_and_left_as_they_are(bare_machine, caplog):
    cache = open_cache()
    fill(cache, 1)
    foreign = b"LKEY\x01" + bytes(100)
    assert cache.store.put(name(1), foreign, replaces=None)
    assert cache.store.put(name(2), b"no envelope", replaces=None)
    done = rotate(cache)
    assert (done.resealed, done.unreadable) == (1, (name(1),))
    assert cache.store.get(name(1)) == foreign
    assert "set aside" in caplog.text
    with pytest.raises(KeyUnavailable, match="sealed under key 0000000000000000") as caught:
        cache.get(name(1))
    assert caught.value.hint.endswith(f"rm {cache.store.place(name(1))}")


@pytest.mark.posix_owners
def test_refused_entry_keeps_its_key_until_it_can_be_read(bare_machine):
    cache = open_cache()
    fill(cache, 3)
    place = cache.store.place(name(1))
    os.chmod(place, 0o644)
    with pytest.raises(UnsafeCache) as caught:
        rotate(cache)
    assert caught.value.hint == f"chmod 600 {place}"
    assert len(open_cache().ring.keys) == 2
    os.chmod(place, 0o600)
    done = rotate(open_cache())
    assert (done.continued, done.resealed, len(done.dropped)) == (True, 1, 1)
    assert [open_cache().get(name(number)).refresh_token for number in range(3)] == ["token 0", "token 1", "token 2"]


@pytest.mark.on_windows
def test_two_rotations_at_once_do_one_after_the_other(bare_machine):
    fill(open_cache(), 20)
    code = "from lakekey.cache.rotation import rotate\nsay(rotate(open_cache()).current)"
    children = [start(bare_machine / "cache", code) for _ in range(3)]
    said = [child.communicate(timeout=PATIENCE)[0].strip() for child in children]
    fresh = open_cache()
    assert len(set(said)) == 3
    assert key_ids(fresh) == {fresh.ring.current.hex()} <= set(said)


def test_a_rotation_waits_for_the_first_use_of_the_same_cache(bare_machine):
    cache = open_cache()
    with cache.store.changing_key():
        child = start(bare_machine / "cache", "from lakekey.cache.rotation import rotate\nrotate(open_cache())")
        with pytest.raises(TimeoutError):
            wait_for(child, seconds=0.5)
    assert child.communicate(timeout=PATIENCE)[1] == ""
    assert open_cache().ring.current not in cache.ring.keys


def wait_for(child, *, seconds):
    import subprocess

    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def test_key_from_the_environment_is_changed_there(monkeypatch, bare_machine):
    old, new = format_ring([new_key()]).strip(), format_ring([new_key()]).strip()
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE")
    monkeypatch.setenv("LAKEKEY_KEY", old)
    fill(open_cache(), 2)
    with pytest.raises(ConfigurationError) as caught:
        rotate(open_cache())
    assert "LAKEKEY_KEY" in caught.value.hint
    assert old not in str(caught.value)
    monkeypatch.setenv("LAKEKEY_KEY", f"{new} {old}")
    done = rotate(open_cache())
    assert (done.resealed, done.dropped, len(done.unused)) == (2, (), 1)
    monkeypatch.setenv("LAKEKEY_KEY", new)
    assert open_cache().get(name(1)).refresh_token == "token 1"


@pytest.mark.on_windows
def test_the_command_shows_the_ring_and_changes_it(bare_machine):
    directory = bare_machine / "cache"
    fill(open_cache(), 2)
    command = "from lakekey.cli import main\nsys.exit(main(sys.argv[1:]))"
    shown = run(directory, command, "keys")
    current = open_cache().ring.current.hex()
    assert f"{current}  seals and opens  2" in shown
    assert str(directory / "master.key") in shown
    rotated = run(directory, command, "keys", "rotate")
    assert "2 entries sealed again" in rotated
    assert f"Dropped: {current}." in rotated
    for text in (shown, rotated):
        assert not [word for word in text.split() if word in (directory / "master.key").read_text().split("\n")[1:]]
    if os.name == "posix":
        assert os.stat(directory / "master.key").st_mode & 0o777 == 0o600
