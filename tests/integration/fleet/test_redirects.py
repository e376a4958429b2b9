"""A cluster that sends a client on to another node: to loopback by a clear connection, elsewhere by TLS only."""

import socket
import threading

import pytest

from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import CacheError, StoreUnavailable
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def redirecting(request):
    """A server that answers every command by a redirection, once signed in; it is its own next node."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    served = []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            served.append(peer)
            with peer, peer.makefile("rb") as lines:
                for line in lines:
                    if not line.startswith(b"*"):
                        continue
                    words = [lines.read(int(lines.readline()[1:]) + 2).strip() for _ in range(int(line[1:]))]
                    moves = words[0] in (b"EVAL", b"INFO")
                    peer.sendall(b"-MOVED 1 %s:%d\r\n" % (request.param, port) if moves else b"+OK\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield port, served
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(30)


@pytest.mark.parametrize("redirecting", [b"203.0.113.9", b"redis.example.com"], indirect=True)
def test_clear_connection_follows_no_redirection_to_another_host(redirecting):
    port, served = redirecting
    with pytest.raises(CacheError, match="would send everything in clear to another host") as caught:
        RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=0").get(NAME)
    assert not isinstance(caught.value, StoreUnavailable)
    assert "rediss://" in caught.value.hint
    assert "dose" not in str(caught.value)
    assert len(served) == 1


@pytest.mark.parametrize("redirecting", [b"127.0.0.1", b""], indirect=True)
def test_redirection_to_a_node_of_this_host_is_followed(redirecting):
    port, served = redirecting
    with pytest.raises(StoreUnavailable, match="cannot do that now"):
        RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=0.2").get(NAME)
    assert len(served) > 1
