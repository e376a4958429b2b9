"""The bound of a sign-out elsewhere, moves that meet a renewal, and one pace for all names that are kept alive."""

import os
import time
from types import SimpleNamespace

import pytest

from lakekey.cache import near
from lakekey.cache.cache import Cache
from lakekey.cache.moving import move
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.redis import RedisStore
from lakekey.cache.stores.store import reply_lost
from lakekey.errors import CacheError, CacheWriteFailed
from lakekey.providers.provider import Provider
from lakekey.session.keep_alive import keep_alive
from support.inside import session_of
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def server(postgresql):
    return postgresql


@pytest.fixture
def signed_in(fleet, oidc_server, monkeypatch, unattended):
    """This process as one of a host whose session has a live token."""
    host = fleet.host("a")
    host.sign_in(left=3000)
    oidc_server.reset()
    host.enter(monkeypatch)
    return host


def test_age_of_a_near_copy_counts_to_the_bound_of_a_sign_out_elsewhere(signed_in, monkeypatch):
    assert Provider(signed_in.target).headers()  # keeps a near copy
    monkeypatch.setattr(near, "time", SimpleNamespace(time=lambda: time.time() + 200))
    later = Provider(signed_in.target)
    assert later.headers()
    assert session_of(later).recheck_after <= near.CHECKED - 200


def test_move_that_meets_a_renewal_leaves_one_refresh_token_in_one_store(signed_in, redis, monkeypatch):
    source, entry_id = signed_in.cache, signed_in.entry_id
    target = open_cache({**os.environ, **signed_in.own}, place=redis.address)
    put = Cache.put

    def put_and_be_overtaken(cache, name, entry, **how):
        done = put(cache, name, entry, **how)
        if cache is target:
            stored = source.read(entry_id)
            put(source, entry_id, stored.entry._replace(refresh_token="renewed"), replaces=stored.envelope)
        return done

    monkeypatch.setattr(Cache, "put", put_and_be_overtaken)
    moved = move(source, target)
    assert moved.moved == ()
    assert moved.left == ((entry_id, "it was renewed meanwhile; run it again"),)
    assert target.get(entry_id) is None
    assert source.get(entry_id).refresh_token == "renewed"


@pytest.mark.parametrize("in_doubt", [False, True])
def test_move_whose_old_place_cannot_be_written_leaves_one_refresh_token_or_says_so(
    signed_in, redis, monkeypatch, in_doubt
):
    source, entry_id = signed_in.cache, signed_in.entry_id
    target = open_cache({**os.environ, **signed_in.own}, place=redis.address)
    before = signed_in.stored().refresh_token
    with monkeypatch.context() as away:
        put = type(source.store).put

        def fails(*arguments, **how):
            if in_doubt:
                put(*arguments, **how)  # it is done, and the reply is lost
                raise reply_lost("the store did not answer")
            raise CacheWriteFailed("the disk is full")

        away.setattr(type(source.store), "put", fails)
        moved = move(source, target)
    assert moved.moved == ()
    kept = [cache.get(entry_id).refresh_token for cache in (source, target) if cache.get(entry_id) is not None]
    assert [token for token in kept if token] == [before]
    assert ("must not be used before this is run again" in moved.left[0][1]) is in_doubt
    again = move(source, target)
    assert (again.moved == (entry_id,)) is not in_doubt
    assert target.get(entry_id).refresh_token == before
    assert source.get(entry_id).refresh_token == ""


def test_names_that_are_kept_alive_share_one_pace(fleet, signed_in):
    signed_in.store(left=3600 - 2 * 86400, refresh_token=signed_in.stored().refresh_token)
    name, pauses = signed_in.entry_id[:12], []
    done = keep_alive(name, name, rate=30.0, environ=signed_in.environ, pause=pauses.append)
    assert pauses == [2.0]
    assert done.sessions[0].state == "renewed"


@pytest.mark.parametrize(("database", "named"), [(0, False), (3, True)])
def test_hint_about_rights_names_select_where_a_database_is_chosen(redis, database, named):
    redis.command("ACL", "SETUSER", "poor", "on", ">dose", "~*", "+select")
    try:
        with pytest.raises(CacheError) as caught:
            RedisStore(f"redis://poor:dose@127.0.0.1:{redis.port}/{database}").get(NAME)
    finally:
        redis.command("ACL", "DELUSER", "poor")
    assert ("+select" in caught.value.hint) is named
