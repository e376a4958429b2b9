"""The ring that a key management service wraps: bound to its cache, asked for once, and never lost over a change."""

import base64
import json
import os
import threading
from functools import partial

import pytest

from lakekey._imports import LOADING
from lakekey.cache import durable_files, private_files
from lakekey.cache.cache import Cache
from lakekey.cache.keys import anchor
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.kms.wrapped_ring import KmsRing
from lakekey.cache.keys.ring import format_ring
from lakekey.cache.moving import move
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.cache.stores.file import FileStore
from lakekey.errors import ConfigurationError, KeyUnavailable
from support.memory_stores import Shared
from support.model_providers import cache_over
from support.process_state import forget_unwrapped
from support.ring_texts import PASSPHRASE

PACKAGE = """
import json, os, time
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

class Service:
    def __init__(self, environ):
        self.where = 'alias/' + environ.get('ALIAS', 'tokens')
        self.log = environ['ASKED']
        self.away = environ.get('AWAY')
    def note(self, what):
        with open(self.log, 'a') as file:
            file.write(what + '\\n')
    def wrap(self, key):
        self.note('wrap %d' % len(key))
        return b'n' * 12 + AESGCM(self.where.encode().ljust(32)[:32]).encrypt(b'n' * 12, key, b'')
    def unwrap(self, wrapped):
        self.note('unwrap')
        time.sleep(float(os.environ.get('SLOW', 0)))
        if self.away:
            raise ConnectionError('the secret is 1234')
        if 'LIE' in os.environ:
            return {'another': b'k' * 32, 'short': b'k', 'text': 'k' * 32, 'none': None}[os.environ['LIE']]
        return AESGCM(self.where.encode().ljust(32)[:32]).decrypt(wrapped[:12], wrapped[12:], b'')
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    home = tmp_path / "site"
    (home / "two_kms-1.0.dist-info").mkdir(parents=True)
    (home / "two_kms-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: two-kms\nVersion: 1.0\n")
    points = "[lakekey.key_sources]\none = two_kms:Service\ntwo = two_kms:Service\n"
    (home / "two_kms-1.0.dist-info" / "entry_points.txt").write_text(points)
    (home / "two_kms.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(home))
    forget_unwrapped()
    return tmp_path


@pytest.fixture
def environ(site):
    return {
        "LAKEKEY_CACHE_DIR": str(site / "cache"),
        "LAKEKEY_KMS": "one",
        "ASKED": str(site / "asked"),
        "HOME": str(site),
        "APPDATA": str(site),
    }


def asked(environ):
    try:
        with open(environ["ASKED"]) as file:
            return file.read().split("\n")[:-1]
    except FileNotFoundError:
        return []


def note(environ):
    return json.loads(private_files.read(f"{environ['LAKEKEY_CACHE_DIR']}/kms.ring"))


def test_one_key_of_32_bytes_is_wrapped_whatever_the_rings_size(environ):
    cache = open_cache(environ)
    cache.begin()
    assert asked(environ) == ["wrap 32", "unwrap"]
    assert set(note(environ)) == {"format", "kms", "cache", "wrapped", "sealed"}
    assert note(environ)["format"] == 2


def test_the_service_is_asked_once_by_a_process_whatever_it_opens(environ):
    open_cache(environ).begin()
    forget_unwrapped()
    before = len(asked(environ))
    for number in range(5):
        cache = open_cache(environ)
        assert cache.ring.source == "kms"
        cache.keys.read()
        assert cache.get(f"{number:064x}") is None
    assert asked(environ)[before:] == ["unwrap"]


def test_many_threads_at_once_ask_once(environ, monkeypatch):
    open_cache(environ).begin()
    forget_unwrapped()
    before = len(asked(environ))
    monkeypatch.setenv("SLOW", "0.2")
    found = []
    threads = [threading.Thread(target=lambda: found.append(open_cache(environ).ring.current)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(found)) == 1
    assert len(found) == 8
    assert asked(environ)[before:] == ["unwrap"]


@pytest.mark.fork
def test_a_forked_child_has_what_its_parent_unwrapped(environ):
    open_cache(environ).begin()
    before = asked(environ)
    child = os.fork()
    if not child:
        os._exit(0 if open_cache(environ).ring.source == "kms" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert asked(environ) == before


def test_a_service_that_fails_is_not_asked_again_at_once(environ):
    open_cache(environ).begin()
    forget_unwrapped()
    before = len(asked(environ))
    for _ in range(3):
        with pytest.raises(KeyUnavailable, match="ConnectionError") as caught:
            open_cache({**environ, "AWAY": "1"})
        assert "1234" not in str(caught.value)
    assert asked(environ)[before:] == ["unwrap"]


def test_a_service_that_hangs_is_given_up(environ, monkeypatch):
    open_cache(environ).begin()
    forget_unwrapped()
    monkeypatch.setenv("SLOW", "3")
    with pytest.raises(KeyUnavailable, match=r"did not answer \(no answer within 0.2 s\)"):
        open_cache({**environ, "LAKEKEY_KMS_TIMEOUT": "0.2"})


@pytest.mark.parametrize("lie", ["another", "short", "text", "none"])
def test_a_service_that_answers_with_another_key_is_an_error_and_asked_again(environ, monkeypatch, lie):
    open_cache(environ).begin()
    forget_unwrapped()
    monkeypatch.setenv("LIE", lie)
    with pytest.raises(KeyUnavailable, match="alias/tokens has answered with another key") as caught:
        open_cache(environ)
    assert caught.value.hint.startswith("try again")
    monkeypatch.delenv("LIE")
    patient = KmsRing(FileStore(environ["LAKEKEY_CACHE_DIR"]), environ, "one", note(environ)["cache"])
    with pytest.raises(KeyUnavailable, match="has answered with another key"):
        patient.read()
    hasty = KmsRing(FileStore(environ["LAKEKEY_CACHE_DIR"]), environ, "one", note(environ)["cache"], pause=0.0)
    assert hasty.read()


def test_code_that_interrupts_a_late_import_gets_its_key_at_once(environ):
    """A thread that asks the service would wait for the lock that the code beneath holds."""
    open_cache(environ).begin()
    forget_unwrapped()
    with LOADING:
        assert open_cache({**environ, "LAKEKEY_KMS_TIMEOUT": "5"}).ring.source == "kms"


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "4000"])
def test_a_time_limit_that_is_none_is_refused(environ, seconds):
    with pytest.raises(ConfigurationError, match="LAKEKEY_KMS_TIMEOUT"):
        open_cache({**environ, "LAKEKEY_KMS_TIMEOUT": seconds}).begin()


@pytest.mark.posix_locks
def test_the_ring_of_another_cache_is_refused(environ, site):
    other = {**environ, "LAKEKEY_CACHE_DIR": str(site / "other")}
    for each in (environ, other):
        open_cache(each).begin()
    foreign = private_files.read(str(site / "other" / "kms.ring"))
    durable_files.replace(str(site / "cache" / "kms.ring"), foreign)
    with pytest.raises(KeyUnavailable, match="belongs to another cache"):
        open_cache(environ)
    # Nor when its name is changed to ours: the seal knows the cache that it was made for.
    renamed = json.loads(foreign) | {"cache": json.loads((site / "cache" / "cache.json").read_bytes())["cache"]}
    durable_files.replace(str(site / "cache" / "kms.ring"), json.dumps(renamed).encode())
    with pytest.raises(KeyUnavailable, match="damaged, or belongs to another cache"):
        open_cache(environ)


def test_a_ring_that_the_first_releases_wrapped_still_opens_and_is_rotated(environ, site):
    """They had the service wrap the ring's text itself, and no id of the cache."""
    store = FileStore(str(site / "cache"))
    store.prepare()
    plain = KmsRing(store, environ, "one")._service
    text = format_ring([b"k" * 32])
    wrapped = base64.b64encode(plain.wrap(text.encode(), "")).decode()
    store.write_note("kms.ring", json.dumps({"format": 1, "kms": "one", "wrapped": wrapped}).encode())
    choice = {"format": 1, "source": "kms", "why": "LAKEKEY_KEY_SOURCE asks for it", "kms": "one"}
    store.write_note("cache.json", json.dumps(choice).encode())
    before = open_cache(environ)
    assert list(before.ring.keys.values()) == [b"k" * 32]
    done = rotate(before)
    assert len(done.dropped) == 1
    forget_unwrapped()
    assert open_cache(environ).ring.current.hex() == done.current
    assert note(environ)["format"] == 2


def test_a_ring_of_a_later_release_says_to_upgrade(environ, site):
    open_cache(environ).begin()
    path = str(site / "cache" / "kms.ring")
    durable_files.replace(path, json.dumps({**note(environ), "format": 3}).encode())
    with pytest.raises(KeyUnavailable, match="later release") as caught:
        open_cache(environ)
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":2}', b'{"format":"x"}', b"[" * 5000])
def test_a_damaged_ring_is_an_error_and_starts_no_second_key(environ, site, content):
    open_cache(environ).begin()
    durable_files.replace(str(site / "cache" / "kms.ring"), content or b" ")
    with pytest.raises(KeyUnavailable, match="damaged"):
        open_cache(environ)


def test_a_rotation_asks_the_service_for_one_new_key(environ):
    cache = open_cache(environ)
    cache.begin()
    first = note(environ)["wrapped"]
    before = len(asked(environ))
    rotate(cache)
    assert asked(environ)[before:] == ["wrap 32", "unwrap"]
    assert note(environ)["wrapped"] != first


def test_a_move_to_another_service_that_is_killed_leaves_a_cache_that_opens(environ, monkeypatch):
    """Both rings are in the note until the choice says which of them is in force."""
    cache = open_cache(environ)
    cache.begin()
    current = cache.ring.current
    moved = {**environ, "LAKEKEY_KMS": "two"}

    def killed(*_, **__):
        raise SystemExit

    for _ in range(2):  # the first attempt's ring is in the way of the second
        with monkeypatch.context() as context:
            context.setattr("lakekey.cache.rotation.write_choice", killed)
            with pytest.raises(SystemExit):
                rotate(open_cache(moved, moving=True), to="kms")
        forget_unwrapped()
        assert open_cache(environ).ring.current == current
    done = rotate(open_cache(moved, moving=True), to="kms")
    forget_unwrapped()
    assert open_cache(moved).ring.current.hex() == done.current
    assert "others" not in note(environ)


@pytest.fixture
def attacked(environ, site):
    """A cache in which an attacker has named a service and a key that they know; the user's settings name none."""
    open_cache(environ).begin()
    theirs = {**environ, "LAKEKEY_CACHE_DIR": str(site / "theirs"), "LAKEKEY_KMS": "two"}
    theirs |= {"HOME": str(site / "x"), "APPDATA": str(site / "x")}
    open_cache(theirs).begin()
    for name in ("kms.ring", "cache.json"):
        content = private_files.read(str(site / "theirs" / name))
        durable_files.replace(str(site / "cache" / name), content)
    return without_service(environ)


def without_service(environ):
    return {name: value for name, value in environ.items() if name != "LAKEKEY_KMS"}


def test_another_service_than_this_user_has_seen_is_not_followed_unasked(environ, attacked):
    for settings in (attacked, environ):
        with pytest.raises(KeyUnavailable, match="was wrapped by 'one', and now by 'two'"):
            open_cache(settings)


@pytest.mark.parametrize("to", ["kms", "passphrase"])
def test_key_under_another_service_than_this_user_has_seen_is_not_taken_over_by_a_move(attacked, to):
    settings = {**attacked, "LAKEKEY_PASSPHRASE": PASSPHRASE}
    directory = attacked["LAKEKEY_CACHE_DIR"]
    before = {name: private_files.read(f"{directory}/{name}") for name in ("kms.ring", "cache.json")}
    with pytest.raises(KeyUnavailable, match="was wrapped by 'one', and now by 'two'"):
        rotate(open_cache(settings, moving=True), to=to)
    assert {name: private_files.read(f"{directory}/{name}") for name in before} == before
    assert not os.path.lexists(f"{directory}/passphrase.ring")
    assert anchor.recall(attacked, directory).kms == "one"


def test_no_entry_goes_from_or_to_a_cache_under_another_service_than_this_user_has_seen(attacked):
    with pytest.raises(KeyUnavailable, match="was wrapped by 'one', and now by 'two'"):
        open_cache(attacked, moving=True)
    confirmed = open_cache({**attacked, "LAKEKEY_KMS": "two"}, moving=True)
    assert move(confirmed, cache_over()).left == ()


def test_no_entry_goes_from_or_to_a_store_that_hosts_share_under_a_service_that_is_not_named(environ):
    store = Shared()
    Keys(store, environ).read()
    anchor.forget(environ, store.where)
    settings = {**environ, "LAKEKEY_KMS": "two"}
    for given in (without_service(environ), settings):
        shared = Cache(store, partial(Keys, store, given, moving=True))
        for source, target in ((shared, cache_over()), (cache_over(), shared)):
            with pytest.raises(KeyUnavailable, match="is wrapped by 'one', which is not configured here"):
                move(source, target)
    assert move(cache_over(), Cache(store, Keys(store, environ, moving=True))).left == ()


def test_key_under_another_service_is_moved_once_that_is_configured(attacked):
    rotate(open_cache({**attacked, "LAKEKEY_KMS": "two"}, moving=True), to="file")
    assert open_cache(attacked).ring.source == "file"


@pytest.mark.parametrize("more", [{}, {"LAKEKEY_KMS": "two"}])
def test_key_of_a_store_that_hosts_share_is_moved_once_this_user_has_looked_at_it_under_its_service(environ, more):
    store = Shared()
    before = Keys(store, environ).read().current
    anchor.forget(environ, store.where)
    settings = without_service(environ) | more
    with pytest.raises(KeyUnavailable, match="not configured here") as caught:
        rotate(Cache(store, partial(Keys, store, settings, moving=True)), to="kms")
    assert caught.value.hint.endswith("look at it once with LAKEKEY_KMS=one: lakekey store check")
    Keys(store, environ).look()
    done = rotate(Cache(store, Keys(store, settings, moving=True)), to="kms")
    assert done.current != before.hex()
    assert anchor.recall(environ, store.where).kms == more.get("LAKEKEY_KMS", "one")
