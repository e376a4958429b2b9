"""Sign-ins that are begun and left, on each kind of store: what they leave is bounded, and goes by itself."""

import time
from contextlib import contextmanager

import pytest

from lakekey.cache.opening import open_cache
from lakekey.errors import LoginFailed
from lakekey.web import flows
from lakekey.web.flows import Flow, FlowStore
from support.servers.postgresql import Postgresql
from support.servers.redis import Redis

from .conftest import ADA, GRACE, KEY

MOST = 20


@contextmanager
def served(kind):
    """The address of a store; a server runs meanwhile."""
    if kind in (Postgresql, Redis):
        with kind() as server:
            yield server.address
    else:
        yield kind


@pytest.fixture(scope="module", params=["memory:", "file:", Postgresql, Redis], ids=["memory", "file", "pg", "redis"])
def address(request):
    with served(request.param) as address:
        yield address


@pytest.fixture
def cache(address, tmp_path):
    environ = {"LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path), "LAKEKEY_STORE": address}
    return open_cache({**environ, "LAKEKEY_KEY": KEY, "LAKEKEY_KEY_SOURCE": "env"})


def a_sign_in(user):
    """A sign-in that has begun."""
    empty = dict.fromkeys(Flow._fields, "x" * 43)
    settled = {"stage": flows.OPEN, "since": 0.0, "answer": None, "tokens": None, "outcome": None}
    state = flows.state_digest(flows.new_state(user))
    return Flow(**{**empty, **settled, "user": user, "user_id": "", "state": state, "expires_at": time.time() + 600})


def rows(cache):
    return [name for name in cache.store.list() if name.startswith(flows.PREFIX)]


def test_b29_abandoned_starts_leave_a_bounded_store_on_each_kind_of_store_and_go_by_themselves(cache):
    """``benchmarks/hosted_sign_in.py`` abandons 100,000."""
    flows._sweeps.clear()
    store, graces = FlowStore(cache, most_users=MOST), a_sign_in(GRACE)
    store.add(graces)
    for _ in range(30):
        store.add(a_sign_in(ADA))
    assert sorted(rows(cache)) == sorted(flows.PREFIX + flows.row_of(user) for user in (ADA, GRACE))
    assert len(cache.get(flows.PREFIX + flows.row_of(ADA)).about["flows"]) == flows.MOST_OF_A_USER
    assert sum(len(cache.store.get(name)) for name in rows(cache)) < 32 * 1024
    with pytest.raises(LoginFailed, match="too many sign-ins are open"):
        for number in range(2 * MOST):
            store.add(a_sign_in(f"person{number}@example.com"))
    assert number <= MOST  # within the minute, and not with the next look at the store
    assert len(rows(cache)) <= MOST + 1
    assert store.find(graces.handle).user == GRACE
    assert store.change(graces.handle, lambda now: now._replace(stage=flows.ANSWERED)).stage == flows.ANSWERED
    later = FlowStore(cache, most_users=MOST, clock=lambda: time.time() + 3600)
    later._sweep()
    assert rows(cache) == []
