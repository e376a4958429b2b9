"""The server for one loopback address: what a connection costs it, and when it lets go of one."""

import os
import select
import socket
import struct

import pytest

from lakekey.login import listener
from lakekey.login.listener import MAX_REQUEST, LoopbackServer, Reply, Request, _Connection, _parse, listen
from support.waiting import PATIENCE, until

GOOD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = Reply(200, (), b"done")


class Served:
    """A server that answers with what a test says, and counts what it was asked."""

    def __init__(self):
        self.reply, self.settled = PAGE, None
        self.requests, self.looks = [], 0
        listening = listen("127.0.0.1", 0)
        self.address = listening.getsockname()
        self.server = LoopbackServer([listening], self._answer, self._settle)

    def _answer(self, request):
        self.requests.append(request)
        return self.reply

    def _settle(self):
        self.looks += 1
        return self.settled

    def connect(self):
        return socket.create_connection(self.address, PATIENCE)

    def ask(self):
        """One request and its answer, over a connection of its own: what came before it has been dealt with."""
        self.reply = PAGE
        with self.connect() as client:
            client.sendall(GOOD)
            return read(client)


def read(client):
    """All that comes until the server has said all."""
    client.settimeout(PATIENCE)
    said = b""
    while piece := client.recv(4096):
        said += piece
    return said


@pytest.fixture
def served():
    served = Served()
    served.server.start()
    yield served
    served.server.close()


@pytest.mark.proc
@pytest.mark.parametrize("started", [False, True])
def test_closed_server_has_no_descriptor_open(started):
    before = len(os.listdir("/proc/self/fd"))
    served = Served()
    client = socket.socket()
    if started:
        served.server.start()
        client.connect(served.address)
        until(lambda: served.server._connections)
    served.server.close()
    client.close()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert served.server._thread.daemon, "it holds up no program that ends"


@pytest.mark.parametrize("way", ["closed", "reset"])
def test_client_that_hangs_up_frees_its_place_at_once(served, way):
    served.server.patience = 1e6
    client = served.connect()
    client.send(b"GET ")
    until(lambda: served.server._connections)
    if way == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: not served.server._connections)
    assert served.ask().endswith(b"done")


def test_client_that_never_ends_its_request_is_let_go_and_one_that_waits_for_the_outcome_is_not(served):
    served.server.patience = 0.1
    served.reply = None
    with served.connect() as waits, served.connect() as never_ends:
        waits.sendall(GOOD)
        until(lambda: served.requests)
        never_ends.send(b"GET / HTTP/1.1\r\n")
        assert read(never_ends) == b""
        served.settled = PAGE
        served.server.wake()
        assert read(waits).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("parked", [False, True])
def test_connection_is_good_for_one_request(served, parked):
    served.reply = None if parked else PAGE
    with served.connect() as client:
        client.sendall(GOOD)
        until(lambda: served.requests)
        if not parked:
            assert read(client).endswith(b"done")
        client.sendall(GOOD)
        served.ask()
        assert len(served.requests) == 2, "that of the other connection"


def test_answer_that_was_settled_is_sent_once_and_the_connection_drained(served):
    served.reply = None
    with served.connect() as client:
        client.sendall(GOOD)
        until(lambda: served.requests)
        (kept,) = served.server._connections
        served.settled = PAGE
        served.server.wake()
        assert read(client).count(b"HTTP/1.1 200") == 1
        served.ask()
        looks = served.looks
        served.ask()
        assert served.looks == looks, "nothing waits for the outcome"
        assert kept in served.server._connections, "what the client still sends is read"


def test_head_beyond_the_bound_is_malformed_whatever_is_in_it(served):
    with served.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MAX_REQUEST + b"\r\n\r\n")
        until(lambda: served.requests)
    assert served.requests == [None]


@pytest.mark.parametrize(("letters", "may_be"), [(15, True), (16, False)])
def test_method_is_a_short_word(served, letters, may_be):
    with served.connect() as client:
        client.sendall(b"A" * letters)
        if may_be:
            client.sendall(b" / HTTP/1.1\r\n\r\n")
        until(lambda: served.requests)
    assert [request is not None for request in served.requests] == [may_be]


def test_server_that_was_woken_sleeps_again(served):
    served.server.wake()
    until(lambda: not select.select([served.server._wake_receiver], [], [], 0)[0])


def test_nothing_that_the_thread_does_waits_for_a_client(served):
    with served.connect():
        until(lambda: served.server._connections)
        (accepted,) = served.server._connections
        sockets = (*served.server._listeners, served.server._wake_receiver, accepted)
        assert [each.getblocking() for each in sockets] == [False] * 3


def test_answer_that_is_larger_than_what_the_system_takes_at_once_leaves_whole(served):
    served.server.patience = 1e6  # the end comes with the answer, not with the end of patience
    served.reply = Reply(200, (), b"x" * 8_000_000)
    with served.connect() as client:
        client.sendall(GOOD)
        assert read(client).partition(b"\r\n\r\n")[2] == served.reply.page


@pytest.fixture
def waiting():
    """A server that serves nothing yet, and what adds a connection to it."""
    server, far = Served().server, []

    def add(deadline, *, parked=False):
        near, other = socket.socketpair()
        far.append(other)
        connection = server._connections[near] = _Connection(near, deadline)
        connection.far = other
        connection.parked = parked
        server._selector.register(near, listener.selectors.EVENT_READ)
        return connection

    yield server, add
    for connection in list(server._connections.values()):
        server._drop(connection)
    server.close()
    for each in far:
        each.close()


def test_those_that_wait_for_the_outcome_are_the_last_to_make_room(waiting):
    server, add = waiting
    parked, late, early = add(1.0, parked=True), add(3.0), add(2.0)
    for kept in ([parked, late], [parked], []):
        server._make_room()
        assert list(server._connections.values()) == kept
    assert [each.sock.fileno() for each in (parked, late, early)] == [-1] * 3


def test_connection_beyond_the_bound_takes_the_place_of_the_one_that_waited_longest(served, monkeypatch):
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 2)
    served.server.patience = 1e6
    with served.connect() as first, served.connect() as second:
        until(lambda: len(served.server._connections) == 2)
        with served.connect():
            assert read(first) == b""
            second.sendall(GOOD)
            assert read(second).endswith(b"done")


def test_answers_that_are_decided_leave_although_the_server_is_closed(waiting):
    server, add = waiting
    on_its_way, silent, told = add(1e12), add(1e12), add(1e12, parked=True)
    on_its_way.sending = b"a page"
    on_its_way.deadline = server.patience = 0.0  # each is let go of once its answer has left
    server._selector.modify(on_its_way.sock, listener.selectors.EVENT_WRITE)
    server._settle = lambda: PAGE
    server._flush()
    assert server._connections == {}
    assert [read(each.far) for each in (on_its_way, silent, told)] == [b"a page", b"", PAGE.to_bytes()]


def test_closed_servers_thread_ends_when_the_answers_have_left(waiting):
    server, add = waiting
    told = add(1e12, parked=True)
    server.patience = 0.0
    server._settle = lambda: PAGE
    server._closing = True
    server._run()
    assert read(told.far) == PAGE.to_bytes()


@pytest.mark.parametrize(
    "line", ["GET /", "GET / HTTP/1.1 more", "GET / FTP/1.1", "GET /\x00 HTTP/1.1", "GET  HTTP/1.1 /"]
)
def test_line_that_asks_for_nothing_is_malformed(line):
    assert _parse(f"{line}\r\nHost: localhost".encode()) is None
    assert _parse(b"GET / HTTP/1.1\r\nHost: localhost") == Request("GET", "/", ("localhost",))


@pytest.mark.fork
def test_port_of_a_closed_server_is_closed_in_its_forked_children_too():
    served = Served()
    (ours,) = served.server._listeners
    with ours.dup():  # as a child has it
        served.server.close()
        with pytest.raises(ConnectionRefusedError):
            served.connect()


def test_closed_server_has_its_ports_out_of_its_sight():
    served = Served()
    served.server._close_listeners()
    assert [key.fileobj for key in served.server._selector.get_map().values()] == [served.server._wake_receiver]
    served.server.close()


def test_port_that_connections_of_an_earlier_sign_in_still_hold_can_be_had_and_shared_with_no_other_program():
    option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)  # the first is Windows'
    with listen("127.0.0.1", 0) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, option) != 0
