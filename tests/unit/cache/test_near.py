"""A host's copies of the entries of a shared store: all that know the store find the same ones."""

import base64
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from lakekey.cache import near
from lakekey.cache.cache import Cache
from lakekey.cache.client_secrets import _near
from lakekey.cache.entry import Entry, Failure
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.near import NearCopies
from lakekey.cache.stores.addresses import shared_store
from lakekey.cache.stores.lock_line import LockLine
from lakekey.configuration.target import resolve
from lakekey.session.credential import Credential
from lakekey.session.removal import forget_near

NAME = "a" * 64
KEY = base64.b64encode(b"k" * 32).decode()
ENTRY = Entry({"host": "https://x"}, generation=1, access_token="an-access-token")
ADDRESSES = (
    "postgresql://ada@db/lakekey?user=ada@corp.example.com",
    "postgresql://db/lakekey?sslmode=verify-full&target_session_attrs=read-write",
    "rediss://:p%40ss@cache/0?prefix=team",
    "redis+sentinel://one,two/0?service=main&sentinel_password=p@ss",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_near_copy_is_found_by_address_and_by_store(address):
    store = shared_store(address)
    key = os.urandom(32)
    cache = Cache(store, KeyRing({key_id(key): key}, key_id(key), "memory", "the test"))
    target = resolve(None, {}, host="https://model.example.com")
    environ = {**os.environ, "LAKEKEY_STORE": address}
    _near(environ, address).keep(NAME, ENTRY, "")
    assert Credential(target, environ=environ).near.get(NAME).entry.access_token
    assert Credential(target, environ=environ, cache=cache).near.get(NAME).entry.access_token
    forget_near(store, NAME)
    assert not _near(environ, address).get(NAME).entry.access_token


def test_line_of_a_host_goes_with_the_copy():
    copies = NearCopies(os.environ, os.environ["LAKEKEY_CACHE_DIR"], "postgresql://db/lakekey")
    copies.keep(NAME, ENTRY, "")
    with LockLine(copies.line(NAME)).is_first():
        pass
    assert os.path.exists(copies.line(NAME))
    copies.forget(NAME)
    assert not os.path.exists(copies.line(NAME))


# One host's copies


@pytest.fixture
def directory(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path / "cache"


@pytest.fixture
def copies(directory):
    return NearCopies({}, str(directory), ADDRESSES[0])


def at(monkeypatch, seconds):
    """Sets the host's clock by what it is before or after the true time."""
    monkeypatch.setattr(near, "time", SimpleNamespace(time=lambda: time.time() + seconds))


def test_copy_holds_the_access_token_and_nothing_that_could_be_spent(copies, directory):
    failure = Failure("token_endpoint", "it failed", 1.0)
    secret = ENTRY._replace(refresh_token="r", client_secret="s", failure=failure, spending=("n", "h", 1.0, "d"))
    copies.keep(NAME, secret, "the digest")
    copy = copies.get(NAME)
    assert copy.entry._replace(about={}) == ENTRY._replace(about={})
    assert copy.token == "the digest"
    assert NearCopies({}, str(directory), ADDRESSES[0]).get(NAME) == copy
    assert NearCopies({}, str(directory), ADDRESSES[1]).get(NAME) is None


def test_host_without_a_directory_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    nowhere = NearCopies({}, "", ADDRESSES[0])
    nowhere.keep(NAME, ENTRY, "")
    nowhere.keep_absence(NAME)
    nowhere.drop(NAME)
    nowhere.forget(NAME)
    assert nowhere.get(NAME) is None
    assert not nowhere.lacks(NAME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seconds", "recent"), [(0.0, True), (299.0, True), (301.0, False), (-5.0, False)])
def test_copy_is_recent_for_five_minutes_and_not_before_it_was_made(copies, monkeypatch, seconds, recent):
    copies.keep(NAME, ENTRY, "")
    at(monkeypatch, seconds)
    assert copies.is_recent(copies.get(NAME)) is recent


@pytest.mark.parametrize(("seconds", "again"), [(50.0, False), (70.0, True)])
def test_comparison_is_noted_again_after_a_minute(copies, monkeypatch, seconds, again):
    copies.keep(NAME, ENTRY, "")
    first = copies.get(NAME).checked_at
    at(monkeypatch, seconds)
    copies.keep(NAME, ENTRY, "")
    assert (copies.get(NAME).checked_at > first) is again


def test_newer_entry_takes_the_place_of_an_older_one_and_not_the_other_way(copies):
    copies.keep(NAME, ENTRY, "")
    copies.keep(NAME, ENTRY._replace(generation=2, access_token="newer"), "")
    copies.keep(NAME, ENTRY, "")
    assert (copies.get(NAME).entry.access_token, copies.get(NAME).entry.generation) == ("newer", 2)


def test_sign_out_takes_the_token_and_leaves_what_was_seen(copies):
    copies.drop(NAME)
    assert copies.get(NAME) is None
    copies.keep(NAME, ENTRY._replace(generation=7), "the digest")
    copies.drop(NAME)
    dropped = copies.get(NAME)
    assert (dropped.entry.access_token, dropped.entry.generation, dropped.token) == ("", 7, "the digest")


def test_copy_whose_token_is_gone_is_not_written_again(copies, directory):
    copies.keep(NAME, ENTRY, "")
    copies.drop(NAME)
    before = contents(directory)
    copies.drop(NAME)
    assert contents(directory) == before


def test_host_without_a_copy_has_a_place_for_the_line(copies, directory):
    assert os.path.dirname(copies.line(NAME)) == str(directory / "near" / "entries")
    assert os.path.isdir(directory / "near" / "entries")


def contents(directory):
    return {file: file.read_bytes() for file in (directory / "near" / "entries").glob("*.entry")}


def test_absence_is_kept_for_five_minutes(copies, monkeypatch):
    assert not copies.lacks(NAME)
    copies.keep_absence(NAME)
    assert copies.lacks(NAME)
    at(monkeypatch, 301.0)
    assert not copies.lacks(NAME)
    at(monkeypatch, 0.0)
    copies.keep(NAME, ENTRY, "")
    assert not copies.lacks(NAME)


def test_forgotten_copy_leaves_nothing(copies, directory):
    copies.forget(NAME)
    copies.keep(NAME, ENTRY, "")
    copies.forget(NAME)
    assert copies.get(NAME) is None
    assert contents(directory) == {}


@pytest.mark.parametrize("damage", [b"noise", b""])
def test_damaged_copy_is_none_and_is_made_again(copies, directory, damage):
    copies.keep(NAME, ENTRY, "")
    (file,) = contents(directory)
    file.write_bytes(damage)
    assert copies.get(NAME) is None
    copies.keep(NAME, ENTRY, "")
    assert copies.get(NAME).entry.access_token == ENTRY.access_token


@pytest.mark.posix_owners
def test_copies_that_others_could_put_there_are_not_believed(copies, directory):
    copies.keep(NAME, ENTRY, "")
    (directory / "near").chmod(0o777)
    assert NearCopies({}, str(directory), ADDRESSES[0]).get(NAME) is None


@pytest.mark.parametrize(("byte", "swept"), [(0, True), (1, False)])
def test_now_and_then_copies_of_a_month_ago_are_removed(copies, directory, monkeypatch, byte, swept):
    copies.keep("b" * 64, ENTRY, "")
    (old,) = contents(directory)
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    copies.keep("c" * 64, ENTRY, "")
    (month,) = contents(directory).keys() - {old}
    os.utime(month, (time.time() - 29 * 86400,) * 2)
    other = old.with_suffix(".lock")
    other.touch()
    os.utime(other, (time.time() - 31 * 86400,) * 2)
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: bytes([byte]) if size == 1 else real(size))
    copies.keep(NAME, ENTRY, "")
    assert old.exists() is not swept
    assert month.exists()
    assert other.exists()


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({}, "file"),
        ({"LAKEKEY_KEY": KEY}, "env"),
        ({"LAKEKEY_PASSPHRASE": "correct horse battery staple"}, "file"),
        ({"LAKEKEY_KMS": "vault:transit/lakekey"}, "file"),
        ({"LAKEKEY_KEY_SOURCE": "keyring", "LAKEKEY_KEY_FILE": "/none"}, "file"),
    ],
)
def test_key_of_the_copies_is_one_that_is_given_or_a_file_of_this_host(directory, environ, source):
    copies = NearCopies(environ, str(directory), ADDRESSES[0])
    copies.keep(NAME, ENTRY, "")
    assert copies.get(NAME) is not None
    assert (directory / "near" / "master.key").exists() is (source == "file")


FIRST_COPY = """
import sys
from lakekey.cache.entry import Entry
from lakekey.cache.near import NearCopies
copies = NearCopies({"LAKEKEY_KEY": sys.argv[2]}, sys.argv[1], "postgresql://db/lakekey")
copies.keep("a" * 64, Entry({"host": "https://x"}, generation=1, access_token="an-access-token"), "")
print(copies.get("a" * 64) is not None, "filelock" in sys.modules, "lakekey.cache.stores.file_lock" in sys.modules)
"""


def test_first_copy_of_a_host_under_a_key_that_is_given_loads_no_lock(directory):
    done = subprocess.run(
        [sys.executable, "-c", FIRST_COPY, str(directory), KEY], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False", "False"]


def test_key_file_that_is_exchanged_under_a_running_process_is_read_again(directory, tmp_path):
    mounted = tmp_path / "key"
    mounted.write_text(KEY)
    environ = {"LAKEKEY_KEY_FILE": str(mounted)}
    running = NearCopies(environ, str(directory), ADDRESSES[0])
    running.keep(NAME, ENTRY, "")
    mounted.write_text(base64.b64encode(b"n" * 32).decode())
    NearCopies(environ, str(directory), ADDRESSES[0]).keep(NAME, ENTRY._replace(generation=2), "")
    running.get(NAME)
    assert running.get(NAME).entry.generation == 2
