"""The server for one loopback address: what a connection costs it, and when it lets go of one."""

import os
import select
import socket
import struct

import pytest

from lakekey.login.listener import MAX_REQUEST, LoopbackServer, Reply, listen
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
