"""What a lease in Redis asks of its server, and what it makes of the replies; this needs no library."""

import pytest

from lakekey.cache.stores import redis_leases
from lakekey.cache.stores.redis_leases import RedisLeases
from lakekey.errors import CacheError

NAME, NONCE = "a" * 64, b"nonce"


@pytest.fixture
def leases():
    """Leases of a server that gives one reply; ``asked`` is what happened."""

    def leases(reply):
        asked = []
        found = RedisLeases(lambda *words: asked.append(words) or reply, lambda: asked.append("looked at"), "there")
        found.asked = asked
        return found

    return leases


def test_lease_is_taken_for_milliseconds_once_the_server_was_looked_at(leases):
    taken = leases(b"nonce")
    assert taken.take(NAME, NONCE, "host a", 7.5, instead_of=b"older") == b"nonce"
    assert taken.asked == ["looked at", (redis_leases.TAKE, NAME, NONCE, "host a", 7500, b"older")]


@pytest.mark.parametrize("reply", [None, 7, "nonce"])
def test_lease_whose_owner_is_no_bytes_is_an_error_of_the_store(leases, reply):
    with pytest.raises(CacheError, match="lakekey has not put there"):
        leases(reply).take(NAME, NONCE, "host a", 7.5)


@pytest.mark.parametrize(("reply", "renewed"), [(1, True), (0, False), (2, False), (None, False)])
def test_lease_is_renewed_for_milliseconds_where_the_server_says_so(leases, reply, renewed):
    renewing = leases(reply)
    assert renewing.renew(NAME, NONCE, 7.5) is renewed
    assert renewing.asked == [(redis_leases._RENEW, NAME, NONCE, 7500)]


def test_lease_is_released_by_its_nonce(leases):
    releasing = leases(1)
    releasing.release(NAME, NONCE)
    assert releasing.asked == [(redis_leases.RELEASE, NAME, NONCE)]


@pytest.mark.parametrize(("reply", "holder"), [(b"host a", "host a"), (b"host \xff", "host \ufffd"), (None, None)])
def test_holder_is_shown(leases, reply, holder):
    assert leases(reply).holder(NAME) == holder
