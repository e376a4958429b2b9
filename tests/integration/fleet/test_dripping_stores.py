"""Stores that drip: a byte comes now and then, so that no single wait is long, and the whole would have no end."""

import itertools
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest
from redis import exceptions

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.redis import RedisStore
from lakekey.cache.stores.redis_address import address_of
from lakekey.cache.stores.redis_connection import Wire, new_connection
from lakekey.errors import StoreUnavailable
from support.servers.fault_proxy import FaultProxy
from support.servers.spoken import message
from support.store_contract import NAME
from support.tls import write_certificates

pytestmark = pytest.mark.timeout(40)
PAUSE = 0.1  # seconds between two bytes
BULK, ARRAY = b"$100000\r\n", b"*100000\r\n"


LETS_IN = message(b"R", struct.pack("!i", 0)) + message(b"K", struct.pack("!ii", 1, 2)) + message(b"Z", b"I")


@contextmanager
def serving(serve, tls=None):
    """A server that handles each connection by a function of its socket, by TLS where there is a context."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def handle(peer):
        try:
            with peer if tls is None else tls.wrap_socket(peer, server_side=True) as end:
                for piece in serve(end):
                    end.sendall(piece)
                    if over.wait(PAUSE if len(piece) == 1 else 0):
                        return
        except OSError:
            return

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def words_of(end):
    """The commands that come on a connection."""
    with end.makefile("rb") as lines:
        for line in lines:
            yield [lines.read(int(lines.readline()[1:]) + 2).strip() for _ in range(int(line[1:]))]


def drips(begin):
    """What comes on a connection is answered by a beginning that promises more, and a byte now and then."""

    def serve(end):
        end.recv(65536)
        yield begin
        yield from itertools.repeat(b"x")

    return serve


def drips_commands(end):
    """A Redis that lets everyone in, and drips what was asked for."""
    for words in words_of(end):
        if words[0] in (b"EVAL", b"INFO", b"SENTINEL"):
            yield BULK
            yield from itertools.repeat(b"x")
        yield b"+OK\r\n"


def drips_rows(end):
    """A PostgreSQL that lets everyone in, and drips a row."""
    while end.recv(65536)[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # no TLS, no GSSAPI
        yield b"N"
    yield LETS_IN
    end.recv(65536)
    yield b"D\x00\x10\x00\x00"
    yield from itertools.repeat(b"x")


def floods_commands(end):
    """A Redis that lets everyone in, and sends without end what was asked for."""
    for words in words_of(end):
        if words[0] == b"EVAL":
            yield b"*100000000\r\n"
            yield from itertools.repeat(b":1\r\n" * 64)
        yield b"+OK\r\n"


def in_redis(address):
    return RedisStore(address, operation=0.5)


def in_postgresql(address):
    return PostgresqlStore(address, operation=0.5)


def at_redis(port, more="connect_timeout=0.5"):
    return in_redis(f"redis://:dose-of-sesame@127.0.0.1:{port}/0?{more}")


def at_postgresql(port):
    return in_postgresql(f"postgresql://worker:dose-of-sesame@127.0.0.1:{port}/store?connect_timeout=0.5")


def assert_away(store, match="cannot be reached", *, in_doubt=False):
    with pytest.raises(StoreUnavailable, match=match) as caught:
        store.get(NAME)
    assert caught.value.in_doubt is in_doubt
    assert caught.value.hint
    assert "dose" not in str(caught.value)


@pytest.mark.parametrize("begin", [BULK, ARRAY, b"+"], ids=["bulk", "array", "line"])
def test_greeting_that_drips_ends_with_the_time_to_connect(begin):
    with serving(drips(begin)) as port:
        assert_away(at_redis(port))


def test_greeting_of_postgresql_that_drips_ends_with_the_time_to_connect():
    with serving(drips(b"R\x00\x10\x00\x00")) as port:
        assert_away(at_postgresql(port))


@pytest.mark.parametrize(
    ("serve", "store"), [(drips_commands, at_redis), (drips_rows, at_postgresql)], ids=["redis", "postgresql"]
)
def test_reply_that_drips_ends_with_the_time_for_one_operation(serve, store):
    with serving(serve) as port:
        assert_away(store(port), "did not answer", in_doubt=True)


def test_reply_that_floods_ends_as_well():
    with serving(floods_commands) as port:
        node = "127.0.0.1", port
        connection = new_connection(address_of(f"redis://:dose-of-sesame@{node[0]}:{port}"), node, 30.0)
        connection.connect()
        connection.limit._drain = 0.2  # of the limit that its socket has as well
        with closing(Wire(connection, 0.5)) as wire, pytest.raises(exceptions.TimeoutError):
            wire.ask("EVAL")


def test_both_ways_of_the_library_to_read_end():
    from redis._parsers import _RESP2Parser

    with serving(drips_commands) as port:
        store = at_redis(port)
        connection = store._loaded_server._connection()
        read = connection._connection._sock
        assert isinstance(connection._connection._parser, _RESP2Parser)  # reads by `recv`; the one in C is not here
        read._limit.until = time.monotonic() + 0.5
        read.sendall(b"*1\r\n$4\r\nINFO\r\n")
        with pytest.raises(TimeoutError):
            while True:
                read.recv_into(bytearray(1))
        connection.close()


@pytest.mark.parametrize("serve", [drips(BULK), drips_commands], ids=["greeting", "reply"])
def test_tls_makes_no_difference(serve, tmp_path):
    certificates = write_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.cert, certificates.key)
    with serving(serve, tls) as port:
        store = in_redis(
            f"rediss://:dose-of-sesame@127.0.0.1:{port}/0?connect_timeout=0.5&ssl_ca_certs={certificates.ca}"
        )
        assert_away(store, "cannot be reached|did not answer", in_doubt=serve is drips_commands)


def test_handshake_of_tls_that_drips_ends_with_the_time_to_connect():
    with serving(drips(b"\x16\x03\x03\x40\x00")) as port:
        assert_away(in_redis(f"rediss://:dose-of-sesame@127.0.0.1:{port}/0?connect_timeout=0.5"))


@pytest.mark.parametrize("serve", [drips(BULK), drips_commands], ids=["greeting", "answer"])
def test_sentinel_that_drips_ends_with_the_time_to_connect(serve):
    with serving(serve) as port:
        address = f"redis+sentinel://:dose-of-sesame@127.0.0.1:{port}/0?connect_timeout=0.5&service=fleet"
        assert_away(in_redis(f"{address}&sentinel_password=dose-of-another"))


@pytest.mark.parametrize("serve", [drips(BULK), drips_commands], ids=["greeting", "reply"])
def test_next_node_that_drips_ends_with_the_time_to_connect(serve):
    with serving(serve) as node:

        def redirects(end):
            for words in words_of(end):
                yield b"-ASK 1 127.0.0.1:%d\r\n" % node if words[0] == b"EVAL" else b"+OK\r\n"

        with serving(redirects) as port:
            assert_away(at_redis(port), "cannot be reached|did not answer", in_doubt=serve is drips_commands)


def test_write_whose_reply_drips_is_settled_by_reading_back(server):
    """As one whose reply is lost."""
    with FaultProxy(server.port) as proxy:
        proxy.drip_replies(lambda request: any(mark in request for mark in (b"INSERT INTO", b"dose-of-envelope")))
        store = type(server.store())(server.readable_at(proxy.port), operation=0.5)
        assert store.put(NAME, b"dose-of-envelope", replaces=None)
        assert proxy.cuts == 1
    assert server.store().get(NAME) == b"dose-of-envelope"


def test_process_that_is_stopped_while_it_connects_connects_again():
    code = "import sys; from lakekey.cache.stores.redis import RedisStore; RedisStore(sys.argv[1]).get(sys.argv[2])"
    begun, asked = threading.Event(), threading.Event()

    def far(end):
        for words in words_of(end):
            if not begun.is_set():
                begun.set()
                os.kill(program.pid, signal.SIGSTOP)
                time.sleep(3.5)  # beyond the time to connect
                os.kill(program.pid, signal.SIGCONT)
            if words[0] == b"EVAL":
                asked.set()
            asked.wait(0.02)  # on the way
            yield b"+OK\r\n"

    with serving(far) as port:
        address = f"redis://127.0.0.1:{port}/0?connect_timeout=2"
        with subprocess.Popen([sys.executable, "-c", code, address, NAME], stderr=subprocess.DEVNULL) as program:
            assert asked.wait(30)
            program.kill()
