"""Discovery, remembered: for an hour what was found, for a minute what was guessed or refused."""

import hashlib
import logging

import pytest

from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import CacheError, CacheWriteFailed, TokenEndpointError
from lakekey.oauth.discovery import Metadata
from lakekey.session.discovery_cache import RememberedDiscovery
from support.discovery import Finder
from support.model_providers import cache_over

HOST = "https://w.example.com"
FOUND = Metadata(HOST, f"{HOST}/authorize", f"{HOST}/token")


@pytest.fixture
def network():
    return Finder(FOUND)


@pytest.fixture
def discover(cache, network):
    """Asks as a new process does, so many seconds after the first one."""

    def discover(after=0.0, **about):
        where = {"host": HOST, "account_id": None, "discovery_url": None, **about}
        return RememberedDiscovery(cache, **where, find=network, clock=lambda: 1_000_000.0 + after)()

    return discover


@pytest.mark.parametrize(
    ("guessed", "after", "asked"),
    [(False, 0.0, 1), (False, 3599.0, 1), (False, 3600.0, 2), (False, -1.0, 2), (True, 59.0, 1), (True, 60.0, 2)],
)
def test_server_is_asked_for_once_an_hour_and_a_guess_is_checked_after_a_minute(
    discover, network, guessed, after, asked
):
    network.answer = FOUND._replace(guessed=guessed)
    assert discover() == discover(after) == network.answer
    assert network.asked == asked


@pytest.mark.parametrize(
    "about", [{"host": "https://another.example.com"}, {"account_id": "a"}, {"discovery_url": "d"}]
)
def test_what_is_remembered_is_of_one_host_account_and_document(discover, network, about):
    discover()
    discover(**about)
    assert network.asked == 2


@pytest.mark.parametrize(
    ("status", "remembered"),
    [(400, True), (404, True), (499, True), (408, False), (429, False), (500, False), (503, False), (None, False)],
)
def test_wrong_answer_is_remembered_for_a_minute_and_none_is_not(discover, network, status, remembered):
    network.answer = TokenEndpointError("no server there", status=status, hint="look again")
    for after, asked in ((0.0, 1), (59.0, 1 if remembered else 2), (61.0, 2 if remembered else 3)):
        with pytest.raises(TokenEndpointError, match="no server there") as caught:
            discover(after)
        assert (caught.value.status, caught.value.hint) == (status, "look again")
        assert network.asked == asked


def test_server_that_is_found_after_a_failure_is_remembered(discover, network):
    network.answer = TokenEndpointError("no server there", status=404)
    with pytest.raises(TokenEndpointError):
        discover()
    network.answer = FOUND
    assert discover(61.0) == discover(62.0) == FOUND
    assert network.asked == 2


def test_memory_that_cannot_be_opened_or_written_costs_a_question(network):
    class Full(MemoryStore):
        def put(self, *_, **__):
            raise CacheWriteFailed("no space", hint="make room")

    other = cache_over()
    RememberedDiscovery(other, host=HOST, account_id=None, discovery_url=None, find=network)()
    (name,) = other.store.list()
    store = Full()
    MemoryStore.put(store, name, other.store.get(name), replaces=None)  # under a key that is not at hand
    assert (
        RememberedDiscovery(cache_over(store), host=HOST, account_id=None, discovery_url=None, find=network)() == FOUND
    )
    assert network.asked == 2


def test_memory_that_cannot_be_read_costs_a_question_and_a_debug_line(network, caplog):
    class Unreadable(MemoryStore):
        def get(self, name):
            raise CacheError("a bad sector", hint="look at the disk")

    caplog.set_level(logging.DEBUG, "lakekey")
    cache = cache_over(Unreadable())
    assert RememberedDiscovery(cache, host=HOST, account_id=None, discovery_url=None, find=network)() == FOUND
    assert "discovery is not remembered: a bad sector" in caplog.text


def test_memory_has_the_name_that_other_releases_look_for(cache, network, discover):
    discover()
    about = f'{{"account_id": null, "discovery_url": null, "host": "{HOST}"}}'
    assert cache.get("discovery-" + hashlib.sha256(about.encode()).hexdigest()) is not None
