"""An entry is removed as it is, also where it cannot be opened."""

import contextlib
import time

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, LockTimeout
from lakekey.observability import audit
from lakekey.session.removal import forget_near, remove
from support.memory_stores import Shared
from support.model_providers import cache_over

NAME = "a" * 64


@pytest.fixture
def recorded(monkeypatch):
    records = []
    monkeypatch.setattr(audit, "record", lambda kind, **fields: records.append((kind, fields)))
    return records


def kept(cache, entry=None):
    assert cache.put(NAME, entry or Entry({}, access_token="t"), replaces=None)
    return cache.store.get(NAME)


def test_entry_is_removed_and_the_audit_log_says_so(cache, recorded):
    kept(cache)
    assert remove(cache, NAME) is True
    assert cache.store.get(NAME) is None
    about = {"action": "entry_removed", "entry": NAME, "store": "memory:"}
    assert recorded == [(audit.ADMINISTRATION, about)]


def test_entry_that_is_not_there_is_not_removed(cache, recorded):
    assert remove(cache, NAME) is False
    assert recorded == []


def test_entry_that_cannot_be_opened_is_removed_too(cache):
    assert cache.store.put(NAME, b"noise", replaces=None)
    assert remove(cache, NAME) is True
    assert cache.store.get(NAME) is None


def test_only_the_entry_that_is_meant_is_removed(cache):
    kept(cache)
    assert remove(cache, NAME, only=lambda entry: entry.access_token != "t") is False
    assert cache.store.get(NAME) is not None
    assert remove(cache, NAME, only=lambda entry: entry.access_token == "t") is True
    assert remove(cache, NAME, only=lambda _: True) is False


def test_store_that_never_removes_an_entry_is_not_asked_for_ever(cache, monkeypatch):
    kept(cache)
    tries = []
    monkeypatch.setattr(cache.store, "delete", lambda *_, **__: tries.append(1))
    with pytest.raises(CacheError, match="the entry aaaaaaaaaaaa in memory: cannot be removed") as caught:
        remove(cache, NAME, patience=0.3)
    assert 2 < len(tries) < 20
    assert caught.value.hint.endswith("; or run: lakekey doctor")


def test_hint_for_a_store_that_hosts_share_is_its_own_check(monkeypatch):
    shared = cache_over(Shared())
    kept(shared)
    monkeypatch.setattr(shared.store, "delete", lambda *_, **__: False)
    with pytest.raises(CacheError) as caught:
        remove(shared, NAME, patience=0.1)
    assert caught.value.hint.endswith("; or run: lakekey store check")


def test_entry_that_was_changed_in_the_midst_is_removed_as_it_is_now(cache, monkeypatch):
    before = kept(cache)
    delete = cache.delete

    def beaten(name, *, replaces):
        monkeypatch.setattr(cache, "delete", delete)
        assert cache.store.put(name, b"newer", replaces=before)
        return delete(name, replaces=replaces)

    monkeypatch.setattr(cache, "delete", beaten)
    assert remove(cache, NAME) is True
    assert cache.store.get(NAME) is None


class Full(MemoryStore):
    """A store on a full disk, which is not looked at for a removal."""

    @contextlib.contextmanager
    def lock(self, entry_id, *, to_write=True):
        assert not to_write
        with super().lock(entry_id) as held:
            yield held


def test_full_disk_is_room_enough_for_a_removal():
    cache = cache_over(Full())
    kept(cache)
    assert remove(cache, NAME)


def test_holder_is_waited_for_and_then_named(cache, monkeypatch):
    kept(cache)
    with cache.store.lock(NAME), pytest.raises(LockTimeout, match="this process has held the session for more than"):
        remove(cache, NAME, patience=0.0)
    monkeypatch.setattr(cache.store, "holder", lambda _: None)
    with cache.store.lock(NAME), pytest.raises(LockTimeout, match="another process has held the session"):
        remove(cache, NAME, patience=0.0)
    assert cache.store.get(NAME) is not None


def test_copy_of_this_host_goes_with_the_entry_of_a_shared_store(cache, monkeypatch):
    from lakekey.cache import near

    dropped = []
    monkeypatch.setattr(near.NearCopies, "drop", lambda _, name: dropped.append(name))
    forget_near(cache.store, NAME)
    assert dropped == []
    shared = cache_over(Shared())
    shared.put(NAME, Entry({}, issued_at=time.time()), replaces=None)
    assert remove(shared, NAME)
    assert dropped == [NAME]
