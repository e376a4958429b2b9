"""A cluster that sends a client on to another node: to loopback by a clear connection, elsewhere by TLS only."""

import socket
import threading

import pytest

from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import CacheError, StoreUnavailable
from support.servers.fault_proxy import FaultProxy
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def redirecting(request):
    """A server that answers every command by a redirection, once signed in; it is its own next node."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    served, says = [], [b"%s:%d" % (request.param, port)]

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
                    peer.sendall(b"-%s\r\n" % says[0] if moves else b"+OK\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield port, served, says
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(30)


@pytest.mark.parametrize(
    "redirecting", [b"MOVED 1 203.0.113.9", b"MOVED 1 redis.example.com", b"ASK 1 203.0.113.9"], indirect=True
)
def test_clear_connection_follows_no_redirection_to_another_host(redirecting):
    port, served, _ = redirecting
    with pytest.raises(CacheError, match="would send everything in clear to another host") as caught:
        RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=0").get(NAME)
    assert not isinstance(caught.value, StoreUnavailable)
    assert "rediss://" in caught.value.hint
    assert "dose" not in str(caught.value)
    assert len(served) == 1


@pytest.mark.parametrize(
    "redirecting", [b"MOVED 1 127.0.0.1", b"MOVED 1 ", b"ASK 1 127.0.0.1", b"ASK 1 "], indirect=True
)
def test_redirection_to_a_node_of_this_host_is_followed(redirecting):
    port, served, _ = redirecting
    with pytest.raises(StoreUnavailable, match="cannot do that now"):
        RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=0.2").get(NAME)
    assert len(served) > 1


@pytest.mark.parametrize("redirecting", [b"ASK 1 127.0.0.1"], indirect=True)
def test_next_node_that_does_not_answer_is_waited_for_as_long_as_connecting_may_take(redirecting):
    port, _, says = redirecting
    with FaultProxy(port) as proxy:
        proxy.black_hole()
        says[0] = b"ASK 1 127.0.0.1:%d" % proxy.port
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=0.2").get(NAME)
    assert not caught.value.in_doubt


@pytest.mark.parametrize("redirecting", [b"ASK 1 127.0.0.1"], indirect=True)
@pytest.mark.parametrize("reply", [b"WRONGPASS invalid username-password pair", b"NOPERM this user has no permissions"])
def test_next_node_that_refuses_the_login_is_asked_once(redirecting, reply):
    port, _, says = redirecting
    logins = []

    def refuse():
        while True:
            try:
                peer, _ = node.accept()
            except OSError:
                return
            with peer:
                logins.append(peer.recv(65536).split(b"\r\n")[2])
                peer.sendall(b"-%s\r\n" % reply)

    with socket.create_server(("127.0.0.1", 0)) as node:
        thread = threading.Thread(target=refuse)
        thread.start()
        says[0] = b"ASK 1 127.0.0.1:%d" % node.getsockname()[1]
        with pytest.raises(StoreUnavailable) as caught:
            RedisStore(f"redis://:dose@127.0.0.1:{port}/0?connect_timeout=2").get(NAME)
        node.shutdown(socket.SHUT_RDWR)
        thread.join(30)
    assert logins == [b"AUTH"]
    assert reply.decode().partition(" ")[2] in str(caught.value)
    assert "correct the user, the password or the certificate" in caught.value.hint


@pytest.mark.parametrize("redirecting", [b"MOVED nowhere", b"ASK 1 2 3"], indirect=True)
def test_redirection_that_says_nowhere_is_no_answer(redirecting):
    with pytest.raises(StoreUnavailable, match="what it says cannot be read") as caught:
        RedisStore(f"redis://:dose@127.0.0.1:{redirecting[0]}/0?connect_timeout=0").get(NAME)
    assert caught.value.in_doubt
