"""The key of a fleet, in PostgreSQL and Redis: one first key, rotation across hosts, and what a host that lost its lock may not do.

Each process has a home of its own, as on another host. The key is wrapped by OpenBao, the real server, or by a small
package whose service waits where a test wants it to.
"""

import base64
import os
import signal
import subprocess
import sys

import pytest

from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.envelope import key_id_of
from lakekey.cache.keys.choice import NOTE as CHOICE
from lakekey.cache.keys.kms import wrapped_ring
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.cache.stores import alike
from lakekey.errors import ConfigurationError, KeyUnavailable, LockTimeout
from support.cache_processes import _PRELUDE, ROTATES_UNTIL_KILLED
from support.process_state import forget_unwrapped
from support.servers.openbao import OpenBao
from support.waiting import until

PATIENCE = 60.0
KEY = "a2V5IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG9uZy4="
FIRST = """
sys.stdin.readline()
cache = open_cache()
name = entry_id({"host": sys.argv[1]})
assert cache.put(name, Entry({}, refresh_token=sys.argv[1]), replaces=None)
say(cache.ring.current.hex())
"""
WORKERS = """
import select
children, me = [], sys.argv[1]
for other in sys.argv[2:]:  # one process forks the others, as a web server or a scheduler does
    child = os.fork()
    if child == 0:
        children, me = [], other
        break
    children.append(child)
cache, name, count = open_cache(), entry_id({"worker": me}), 0
os.write(1, b"ready\\n")  # in one piece: the workers of a host share its output
while not select.select([sys.stdin], [], [], 0.05)[0]:
    with locked(cache, name):
        stored = cache.read(name)
        assert stored.entry is not None, "the entry is gone"
        assert stored.entry.refresh_token == f"{me}-{count}", stored.entry.refresh_token
        count += 1
        entry = stored.entry._replace(refresh_token=f"{me}-{count}")
        assert cache.put(name, entry, replaces=stored.envelope)
os.write(1, f"{me} {count}\\n".encode())
assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
"""
PACKAGE = """
import os, time
class Service:
    def __init__(self, environ):
        self.where, self.gate = "a key", environ.get("GATE", "")
    def wrap(self, key):
        if self.gate:
            open(self.gate + ".reached", "w").close()
            while not os.path.exists(self.gate):
                time.sleep(0.01)
        return b"wrapped" + key[::-1]
    def unwrap(self, wrapped):
        return wrapped.removeprefix(b"wrapped")[::-1]
"""


@pytest.fixture(scope="module")
def openbao():
    with OpenBao() as server:
        yield server


@pytest.fixture
def server(request):
    """The store's server: PostgreSQL, unless the test is made for another as well."""
    return request.getfixturevalue(getattr(request, "param", "postgresql"))


BOTH = pytest.mark.parametrize("server", ["postgresql", "redis"], indirect=True)


@pytest.fixture
def fleet(server, openbao, bare_machine, monkeypatch):
    """Sets this process up as one host of a fleet."""
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE")
    monkeypatch.delenv("LAKEKEY_CACHE_DIR")
    monkeypatch.setenv("LAKEKEY_STORE", server.address)
    monkeypatch.setenv("LAKEKEY_KMS", "vault:transit/lakekey")
    monkeypatch.setenv("VAULT_ADDR", openbao.url)
    monkeypatch.setenv("VAULT_TOKEN", openbao.token())
    forget_unwrapped()
    yield bare_machine
    forget_unwrapped()


@pytest.fixture
def gated(fleet, monkeypatch, tmp_path):
    """A service that waits, instead of OpenBao; the path that lets it go on."""
    home = tmp_path / "site"
    (home / "gated_kms-1.0.dist-info").mkdir(parents=True)
    (home / "gated_kms-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: gated-kms\nVersion: 1.0\n")
    points = "[lakekey.key_sources]\ngated = gated_kms:Service\n"
    (home / "gated_kms-1.0.dist-info" / "entry_points.txt").write_text(points)
    (home / "gated_kms.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.setenv("LAKEKEY_KMS", "gated")
    return tmp_path / "gate"


def host(directory, number, code, *arguments, **environ):
    """Starts a process with a home of its own."""
    home = directory / f"host-{number}"
    home.mkdir(mode=0o700, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + code, *arguments],
        env={**os.environ, "HOME": str(home), **environ},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def said(process, text=""):
    out, err = process.communicate(text, timeout=PATIENCE)
    assert process.returncode == 0, err
    return out.strip()


def name(number):
    return f"{number:064x}"


def new_process():
    forget_unwrapped()
    return open_cache()


def key_ids(cache):
    return {key_id_of(cache.store.get(entry_id)) for entry_id in cache.list()}


@BOTH
def test_hosts_that_make_the_first_key_at_once_agree_on_one(fleet, tmp_path):
    hosts = [host(tmp_path, number, FIRST, f"host {number}") for number in range(6)]
    for each in hosts:
        each.stdin.write("go\n")
        each.stdin.flush()
    current = {said(each) for each in hosts}
    assert len(current) == 1
    cache = new_process()
    assert {cache.ring.current.hex()} == current == key_ids(cache)
    assert {cache.get(entry_id).refresh_token for entry_id in cache.list()} == {f"host {n}" for n in range(6)}


@BOTH
def test_a_host_that_lost_its_lock_while_it_made_the_first_key_takes_the_others(fleet, gated, server, tmp_path):
    late = host(tmp_path, 1, FIRST, "late", GATE=str(gated))
    late.stdin.write("go\n")
    late.stdin.flush()
    until(gated.with_suffix(".reached").exists)
    server.lose_leases()  # as if it had been stopped for a while
    other = said(host(tmp_path, 2, FIRST, "other"), "go\n")
    gated.touch()
    assert said(late) == other
    cache = new_process()
    assert {cache.get(entry_id).refresh_token for entry_id in cache.list()} == {"late", "other"}


@BOTH
def test_a_host_that_lost_its_lock_in_a_rotation_overwrites_no_newer_ring(fleet, gated, server, tmp_path):
    cache = new_process()
    assert cache.put(name(1), Entry({}, refresh_token="kept"), replaces=None)
    code = "from lakekey.cache.rotation import rotate\ntry:\n    rotate(open_cache())\nexcept LockTimeout as error:\n"
    late = host(tmp_path, 1, code + "    say(error.message)", GATE=str(gated))
    until(gated.with_suffix(".reached").exists)
    server.lose_leases()
    done = rotate(new_process())
    gated.touch()
    assert "another process has changed the key" in said(late)
    fresh = new_process()
    assert (fresh.ring.current.hex(), len(fresh.ring.keys)) == (done.current, 1)
    assert fresh.get(name(1)).refresh_token == "kept"


@BOTH
def test_a33_rotation_while_16_workers_on_four_hosts_write_loses_nothing(fleet, tmp_path):
    cache = new_process()
    names = [str(number) for number in range(16)]
    for each in names:
        assert cache.put(entry_id({"worker": each}), Entry({}, refresh_token=f"{each}-0"), replaces=None)
    hosts = [host(tmp_path, number, WORKERS, *names[number::4]) for number in range(4)]
    for each in hosts:
        assert [each.stdout.readline() for _ in range(4)] == ["ready\n"] * 4
    done = rotate(cache)
    assert (done.busy, done.unreadable, len(done.dropped)) == ((), (), 1)
    counts = dict(line.split() for each in hosts for line in said(each, "stop\n").splitlines())
    assert sorted(counts) == sorted(names)
    assert sum(map(int, counts.values())) > len(names)  # they did write meanwhile, however few a busy machine let go on
    fresh = new_process()
    assert key_ids(fresh) == {done.current}
    assert len(fresh.ring.keys) == 1
    for each, count in counts.items():
        assert fresh.get(entry_id({"worker": each})).refresh_token == f"{each}-{count}"


STEPS = [
    ("lakekey.cache.keys.kms.wrapped_ring", "KmsRing.write", "before", 1),
    ("lakekey.cache.keys.kms.wrapped_ring", "KmsRing.write", "after", 1),
    ("lakekey.cache.rotation", "write_choice", "after", 1),
    ("lakekey.cache.stores.postgresql", "PostgresqlStore.swap_page", "before", 1),
    ("lakekey.cache.stores.postgresql", "PostgresqlStore.swap_page", "after", 1),
    ("lakekey.cache.keys.kms.wrapped_ring", "KmsRing.write", "before", 2),
    ("lakekey.cache.keys.kms.wrapped_ring", "KmsRing.write", "after", 2),
    ("lakekey.cache.rotation", "write_choice", "after", 2),
]


@pytest.mark.parametrize(("module", "function", "when", "nth"), STEPS, ids=[f"{f}-{w}-{n}" for _, f, w, n in STEPS])
def test_a_rotation_that_is_killed_at_any_step_goes_on_from_another_host(
    fleet, server, tmp_path, module, function, when, nth
):
    cache = new_process()
    for number in range(3):
        assert cache.put(name(number), Entry({}, refresh_token=f"token {number}"), replaces=None)
    child = host(tmp_path, 1, ROTATES_UNTIL_KILLED, module, function, when, str(nth))
    child.communicate(timeout=PATIENCE)
    assert child.returncode == -signal.SIGKILL
    server.lose_leases()  # which would end by themselves in a few seconds
    other = new_process()
    assert [other.get(name(number)).refresh_token for number in range(3)] == [f"token {n}" for n in range(3)]
    assert cache.get(name(0)).refresh_token == "token 0"  # what ran all the while
    done = rotate(other)
    fresh = new_process()
    assert key_ids(fresh) == {done.current}
    assert len(fresh.ring.keys) == 1
    assert [fresh.get(name(number)).refresh_token for number in range(3)] == [f"token {n}" for n in range(3)]


@BOTH
def test_what_is_sealed_under_a_key_that_is_rotated_out_meanwhile_is_never_stored(fleet):
    """Between the seal and the write of an entry, a whole rotation takes place elsewhere."""
    cache = new_process()
    cache.begin()
    assert cache.put(name(2), Entry({}, refresh_token="old"), replaces=None)
    for wanted, replaces in ((name(1), None), (name(2), True)):
        put, stored = cache.store.put, []

        def late(entry_id, envelope, *, put=put, stored=stored, **how):
            if not stored:
                rotate(open_cache())
                if how["replaces"] is not None:  # which the rotation has sealed again
                    how["replaces"] = cache.store.get(entry_id)
            stored.append(put(entry_id, envelope, **how))
            return stored[-1]

        before = cache.read(wanted)
        cache.store.put = late
        done = cache.put(wanted, Entry({}, refresh_token="kept"), replaces=before.envelope if replaces else None)
        cache.store.put = put
        assert stored[0] is False
        fresh = new_process()
        assert len(fresh.ring.keys) == 1
        if replaces is None:
            assert (stored, fresh.get(wanted).refresh_token) == ([False, True], "kept")
        else:  # the rotation came first, and the writer looks at the entry again
            assert (done, fresh.get(wanted).refresh_token) == (None, "old")


@BOTH
def test_rotation_that_stood_still_seals_nothing_under_a_key_that_another_host_has_dropped(fleet, server, monkeypatch):
    cache = new_process()
    assert cache.put(name(1), Entry({}, refresh_token="kept"), replaces=None)
    swap_page, rotations = type(cache.store).swap_page, []

    def late(store, swaps, **how):
        if not rotations:
            rotations.append(None)
            server.lose_leases()  # as if it had been stopped for a while
            rotations[0] = rotate(new_process())
            now = {entry_id: store.get(entry_id) for entry_id, _, _ in swaps}
            swaps = [(entry_id, now[entry_id], new) for entry_id, _, new in swaps]
        return swap_page(store, swaps, **how)

    monkeypatch.setattr(type(cache.store), "swap_page", late)
    with pytest.raises(LockTimeout, match="has changed the key"):
        rotate(cache)
    fresh = new_process()
    assert key_ids(fresh) == {rotations[0].current}
    assert fresh.get(name(1)).refresh_token == "kept"


@BOTH
def test_change_of_the_key_by_another_host_is_waited_for_and_given_up(fleet):
    one, other = open_cache().store, open_cache().store
    tries = alike.changing_key(other._leases, other.where, patience=0.1)
    with one.changing_key(), pytest.raises(LockTimeout, match="has been changing the key"), tries:
        pass
    with other.changing_key():
        pass


@BOTH
def test_the_ring_of_another_cache_is_refused(fleet, server, monkeypatch, tmp_path):
    new_process().begin()
    store = server.store()
    ours = store.read_note(wrapped_ring.NOTE)
    with monkeypatch.context() as other:
        other.setenv("LAKEKEY_STORE", f"file:{tmp_path / 'other'}")
        new_process().begin()
    theirs = (tmp_path / "other" / "kms.ring").read_bytes()
    store.write_note(wrapped_ring.NOTE, theirs)
    with pytest.raises(KeyUnavailable, match="belongs to another cache"):
        new_process().begin()
    store.write_note(wrapped_ring.NOTE, ours)
    new_process().begin()


def test_a_service_that_is_away_stops_new_processes_and_no_running_one(fleet, monkeypatch):
    running = new_process()
    assert running.put(name(1), Entry({}, refresh_token="kept"), replaces=None)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(KeyUnavailable, match="did not answer"):
        new_process().get(name(1))
    assert running.get(name(1)).refresh_token == "kept"
    assert running.put(name(2), Entry({}, refresh_token="new"), replaces=None)
    with pytest.raises(KeyUnavailable, match="did not answer"):
        rotate(running)  # it needs a new key from the service, and leaves the old one in force
    assert running.get(name(2)).refresh_token == "new"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"LAKEKEY_KEY_SOURCE": "file"}, "a key file of this host opens nothing elsewhere"),
        ({"LAKEKEY_KEY_SOURCE": "keyring"}, "a keyring of this host opens nothing elsewhere"),
        ({"LAKEKEY_PASSPHRASE": "correct horse battery staple"}, "could be tried by everyone who can read"),
        ({}, "no key is configured"),
    ],
)
def test_a_key_that_is_one_hosts_own_is_refused_with_the_reason(fleet, server, monkeypatch, settings, reason):
    monkeypatch.delenv("LAKEKEY_KMS")
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        open_cache().put(name(1), Entry({}, refresh_token="r"), replaces=None)
    assert "LAKEKEY_KMS" in caught.value.hint
    assert server.password not in str(caught.value)
    assert server.store().read_note(CHOICE) is None


def test_a_key_file_that_another_wrote_into_the_store_is_refused(fleet, server, monkeypatch):
    monkeypatch.delenv("LAKEKEY_KMS")
    store = server.store()
    store.write_note(CHOICE, b'{"format": 1, "source": "file", "why": "it says so"}')
    store.write_note("master.key", KEY.encode())
    with pytest.raises(KeyUnavailable, match="names a key source that is not for that, 'file'"):
        open_cache().put(name(1), Entry({}), replaces=None)


@pytest.mark.parametrize("how", ["variable", "mounted file"])
def test_a_key_that_every_host_is_given_is_taken(fleet, monkeypatch, tmp_path, how):
    monkeypatch.delenv("LAKEKEY_KMS")
    if how == "variable":
        monkeypatch.setenv("LAKEKEY_KEY", KEY)
    else:
        (tmp_path / "key").write_text(KEY)
        (tmp_path / "key").chmod(0o400)
        monkeypatch.setenv("LAKEKEY_KEY_FILE", str(tmp_path / "key"))
    assert open_cache().put(name(1), Entry({}, refresh_token="kept"), replaces=None)
    assert open_cache().get(name(1)).refresh_token == "kept"


def test_hosts_with_different_keys_get_a_clear_error_and_lose_nothing(fleet, server, monkeypatch):
    monkeypatch.delenv("LAKEKEY_KMS")
    mine, others = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    settings = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}
    here = open_cache({**settings, "LAKEKEY_KEY": mine})
    assert here.put("a" * 64, Entry({}, refresh_token="kept"), replaces=None)
    sealed = here.store.get("a" * 64)
    elsewhere = open_cache({**settings, "LAKEKEY_KEY": others})
    for attempt in (lambda: elsewhere.get("a" * 64), lambda: elsewhere.put("a" * 64, Entry({}), replaces=None)):
        try:
            assert attempt() is None  # a write that would replace what it has not read
        except KeyUnavailable as error:
            refused = error
    assert f"is sealed under key {key_id_of(sealed)}, which is not in LAKEKEY_KEY" in refused.message
    assert "restore that key" in refused.hint
    assert mine not in str(refused)
    assert here.store.get("a" * 64) == sealed
    # What it has in hand already it stores under its own key, and that is as clear to the first.
    assert elsewhere.put("b" * 64, Entry({}, refresh_token="other"), replaces=None)
    with pytest.raises(KeyUnavailable, match="which is not in LAKEKEY_KEY"):
        here.get("b" * 64)
    assert [here.get("a" * 64).refresh_token, elsewhere.get("b" * 64).refresh_token] == ["kept", "other"]


def test_hint_about_a_damaged_note_names_no_command_for_files(fleet, server):
    server.store().write_note(CHOICE, b"{damaged")
    with pytest.raises(KeyUnavailable, match="is damaged") as caught:
        open_cache().put(name(1), Entry({}), replaces=None)
    assert caught.value.hint == f"nothing is sealed here, so remove it: note {CHOICE} in {server.store().where}"
