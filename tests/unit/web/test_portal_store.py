"""The store of a portal, in a process that becomes another user's."""

import logging

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.stores.memory import MemoryStore
from lakekey.web import portal_store
from lakekey.web.portal_store import PortalStore
from support.memory_stores import Shared
from support.model_providers import cache_over


@pytest.fixture
def user(monkeypatch):
    """Whose process this is: change it by ``user.append``."""
    users = [0]
    monkeypatch.setattr(portal_store, "owner", lambda: users[-1])
    return users


def test_store_is_opened_again_as_another_user_with_all_that_is_in_it(user, tmp_path):
    store = PortalStore({"LAKEKEY_CACHE_DIR": str(tmp_path / "cache")})
    cache, sign_ins, apps = store.cache, store.sign_ins, store.registrations
    assert (store.cache, store.sign_ins, store.registrations) == (cache, sign_ins, apps)
    user.append(54321)
    assert store.cache is not cache
    assert store.sign_ins.cache is store.cache
    assert store.sign_ins.flows.cache is store.cache
    assert store.registrations is not apps
    assert store.sign_ins is store.sign_ins


def test_store_that_hosts_share_stays(user, monkeypatch):
    monkeypatch.setattr(portal_store, "open_cache", lambda _: cache_over(Shared()))
    store = PortalStore({})
    cache, sign_ins = store.cache, store.sign_ins
    user.append(54321)
    assert (store.cache, store.sign_ins) == (cache, sign_ins)


def test_store_that_keeps_nothing_is_told_each_time_that_it_is_opened(user, monkeypatch, caplog):
    ring = cache_over().ring
    monkeypatch.setattr(portal_store, "open_cache", lambda _: Cache(MemoryStore(), ring, volatile="no place is safe"))
    with caplog.at_level(logging.WARNING, "lakekey"):
        store = PortalStore({})
        assert caplog.text.count("connections are kept in the memory of this process only") == 1
        user.append(54321)
        assert store.cache.volatile
    assert caplog.text.count("connections are kept in the memory of this process only") == 2
