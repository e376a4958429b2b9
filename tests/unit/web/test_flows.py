"""The steps of a sign-in: what becomes of them in a store that says no."""

import time

import pytest

from lakekey.errors import CacheWriteFailed
from lakekey.web import flows, one_connection
from lakekey.web.flows import Flow, FlowStore
from support.denying import Denying, hurried
from support.model_providers import TARGET, cache_over

ADA = "ada@example.com"


@pytest.fixture(params=[False, True], ids=["of a machine", "of hosts"])
def store(request, monkeypatch):
    hurried(monkeypatch, one_connection)
    return FlowStore(cache_over(Denying(shared=request.param)), clock=time.time)


def a_sign_in():
    later = time.time() + 600.0
    state = flows.state_digest(flows.new_state(ADA))
    return Flow(state, "browser", ADA, "", "prod", TARGET.host, "app", "app", "uri", "v", None, "iss", False, "", later)


def answered(flow):
    return flow._replace(stage=flows.ANSWERED)


def test_store_that_takes_no_step_is_not_asked_for_ever(store):
    flow = a_sign_in()
    store.add(flow)
    store.cache.store.deny()
    with pytest.raises(CacheWriteFailed, match="took none of the steps of a sign-in"):
        store.change(flow.handle, answered)
    assert store.find(flow.handle).stage == flows.OPEN


def test_step_that_the_store_did_not_take_at_first_is_made_from_what_is_there_then(store):
    flow = a_sign_in()
    store.add(flow)
    seen = store.look(flow.handle).row
    store.change(flow.handle, lambda each: each._replace(since=1.0))
    store.cache.store.deny(1)
    assert store.change(flow.handle, answered, seen=seen) == flow._replace(since=1.0, stage=flows.ANSWERED)
