"""What a Redis store says of a server that leads it elsewhere; this needs no library."""

from types import SimpleNamespace

import pytest

from lakekey.cache.stores.redis_server import Server
from lakekey.errors import CacheError


def test_host_of_a_redirection_is_named_without_what_a_terminal_would_act_on():
    server = SimpleNamespace(_address=SimpleNamespace(encrypted=False), where="there")
    with pytest.raises(CacheError, match="in clear to another host") as caught:
        Server._require_near(server, "else\x1b[2Jwhere")
    assert r"sends us to else\x1b[2Jwhere, and" in caught.value.message
