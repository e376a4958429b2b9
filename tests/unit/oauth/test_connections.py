"""Connections that wait a moment for the next request to the same server."""

import contextlib
import io
import os
import socket
import ssl
import threading
import time

import pytest

from lakekey.errors import TokenEndpointError
from lakekey.oauth import deadlines
from lakekey.oauth.connections import KeptConnections
from lakekey.oauth.transport import Transport
from support.tls import write_certificates

FORM = {"grant_type": "authorization_code", "code": "a-code"}
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\n{}"
ANOTHERS = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a": "b"}'
CLOSE, SILENCE, HALF = b"close", b"silence", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"


class Server:
    """Answers the requests of each connection as that connection's list says, and notes what was asked on which."""

    def __init__(self, *answers, wrap=lambda connection: connection):
        self._wrap = wrap
        self.asked = []
        self.ended = threading.Event()
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/token"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self._thread.join(60)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self):
        with contextlib.ExitStack() as stack:
            for number, answers in enumerate(self._answers):
                if (connection := self._accepted()) is None:
                    return
                self._answer(stack.enter_context(connection), number, answers)
            self.ended.wait(60)

    def _accepted(self):
        while not self.ended.is_set():
            with contextlib.suppress(TimeoutError):
                return self._wrap(self._listener.accept()[0])
        return None

    def _answer(self, connection, number, answers):
        for answer in answers:
            asked = b""
            while b"\r\n\r\n" not in asked or (asked.startswith(b"POST") and b"a-code" not in asked):
                piece = connection.recv(65536)
                if not piece:
                    return
                asked += piece
            self.asked.append((number, asked.decode()))
            if answer is SILENCE:
                return
            if answer is CLOSE:
                connection.shutdown(socket.SHUT_RDWR)
                return
            connection.sendall(answer)
            if answer is HALF:
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def kept():
    connections = KeptConnections(idle=60.0)
    yield connections
    connections.clear()


def on(server):
    """Which connection each request came on."""
    return [number for number, _ in server.asked]


def test_question_goes_over_the_connection_of_the_exchange(kept):
    with Server([GOOD % b"", GOOD % b""]) as server:
        Transport(kept=kept).post_form(server.url, FORM)
        Transport(kept=kept).get(server.url)
        assert on(server) == [0, 0]


def test_each_request_has_its_own_connection_where_none_are_kept():
    with Server([GOOD % b""], [GOOD % b""]) as server:
        transport = Transport()
        transport.get(server.url)
        transport.get(server.url)
        assert on(server) == [0, 1]


def test_request_is_sent_again_where_the_server_had_closed_the_connection(kept):
    with Server([GOOD % b"", CLOSE], [GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        assert transport.post_form(server.url, FORM).status == 200
        assert on(server) == [0, 0, 1]


def test_request_is_sent_again_on_a_new_connection_although_another_waits(kept):
    with Server([GOOD % b""], [GOOD % b"", CLOSE], [GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        first = kept._idle.pop()  # another exchange uses it
        transport.get(server.url)
        kept._idle.insert(0, first)
        assert transport.post_form(server.url, FORM).status == 200
        assert on(server) == [0, 1, 1, 2]


def test_request_on_a_new_connection_is_not_sent_again(kept):
    with Server([CLOSE], [GOOD % b""]) as server:
        with pytest.raises(TokenEndpointError, match="cannot reach"):
            Transport(kept=kept).post_form(server.url, FORM)
        assert on(server) == [0]


def test_request_is_not_sent_again_once_its_answer_has_begun(kept):
    with Server([GOOD % b"", HALF], [GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        with pytest.raises(TokenEndpointError):
            transport.post_form(server.url, FORM)
        assert on(server) == [0, 0]


def test_connection_of_a_truncated_answer_is_not_kept(kept):
    with Server([HALF], [GOOD % b""]) as server:
        transport = Transport(kept=kept)
        with pytest.raises(TokenEndpointError):
            transport.get(server.url)
        assert transport.get(server.url).status == 200
        assert on(server) == [0, 1]


def test_cookies_of_an_answer_do_not_go_with_the_next_request(kept):
    with Server([GOOD % b"Set-Cookie: whose=ada\r\n", GOOD % b""]) as server:
        Transport(kept=kept).get(server.url)
        Transport(kept=kept).get(server.url)
        assert on(server) == [0, 0]
        assert "ada" not in server.asked[1][1]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_answer_that_nothing_asked_for_is_not_taken_for_the_next_ones(kept, tmp_path, secure):
    certificates = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    wrap = (lambda sock: context.wrap_socket(sock, server_side=True)) if secure else (lambda sock: sock)
    read_ahead = io.DEFAULT_BUFFER_SIZE - len(GOOD % b"X: \r\n")
    first = GOOD % (b"X: " + b"x" * read_ahead + b"\r\n")  # all that is read with it, so that the rest begins a line
    with Server([first + ANOTHERS], [GOOD % b""], wrap=wrap) as server:
        transport = Transport(kept=kept, ca_file=str(certificates.ca))
        url = server.url.replace("http:", "https:") if secure else server.url
        assert transport.get(url).json_object() == {}
        assert transport.get(url).json_object() == {}
        assert on(server) == [0, 1]


def test_deadline_holds_on_a_kept_connection(kept):
    with Server([GOOD % b"", SILENCE]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="in time"):
            transport.get(server.url, deadline=began + 0.3)
        assert time.monotonic() - began < 20
        assert on(server) == [0, 0]


def test_connection_that_has_waited_too_long_is_closed_and_not_used():
    hasty = KeptConnections(idle=0.0)
    with Server([GOOD % b"", GOOD % b""], [GOOD % b""]) as server:
        transport = Transport(kept=hasty)
        transport.get(server.url)
        transport.get(server.url)
        assert on(server) == [0, 1]
        hasty.clear()


class Carrier:
    """What carries requests, as far as those that wait are concerned."""

    closed = False

    def close(self):
        self.closed = True


def test_connection_that_is_not_handed_out_again_is_closed():
    late, ours, others, *more = carriers = [Carrier() for _ in range(11)]
    hasty, kept = KeptConnections(idle=0.0), KeptConnections(idle=60.0)
    hasty.give("here", late)
    assert hasty.take("elsewhere") is None
    assert late.closed
    kept.give("here", others)
    kept.give("here", ours)
    kept.give("elsewhere", more[0])
    taken = kept._idle[1]
    assert kept.take("here") is ours  # the one that has waited least
    assert not kept._remove(taken)  # as a thread learns that comes too late
    for carrier in more[1:]:
        kept.give("elsewhere", carrier)
    assert [carrier.closed for carrier in carriers] == [True, False, True, *[False] * 8]
    kept.clear()
    assert [carrier.closed for carrier in carriers] == [True, False, *[True] * 9]
    assert kept.take("elsewhere") is None


def test_eight_interim_responses_are_passed_over_and_no_more():
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    with Server([interim * 8 + GOOD % b""], [interim * 9 + GOOD % b""]) as server:
        assert Transport().get(server.url).status == 200
        assert Transport().get(server.url).status == 103


def test_two_exchanges_at_once_do_not_share_a_connection(kept):
    with Server([GOOD % b""], [GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        key = kept._idle[0].key
        adapter = kept.take(key)
        transport.get(server.url)
        kept.give(key, adapter)
        assert on(server) == [0, 1]


def test_connection_is_not_used_with_other_certificates(kept, tmp_path):
    with Server([GOOD % b""], [GOOD % b""]) as server:
        Transport(kept=kept).get(server.url)
        Transport(kept=kept, ca_file=str(tmp_path / "other.pem")).get(server.url)
        assert on(server) == [0, 1]


def test_eight_connections_wait_at_most(kept):
    servers = [Server([GOOD % b""]) for _ in range(10)]
    with contextlib.ExitStack() as stack:
        for server in servers:
            Transport(kept=kept).get(stack.enter_context(server).url)
        assert len(kept._idle) == 8


def test_work_commits_before_it_sends_on_a_kept_connection(kept):
    class CalledOff(Exception):
        pass

    class Work:
        def pause(self, _seconds):
            pass

        def commit(self):
            raise CalledOff

        def settled(self):
            pass

    with Server([GOOD % b"", GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        with pytest.raises(CalledOff), deadlines.committing(Work()):
            transport.post_form(server.url, FORM)
        assert on(server) == [0]


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_does_not_use_its_parents_connection(kept):
    with Server([GOOD % b"", GOOD % b""]) as server:
        transport = Transport(kept=kept)
        transport.get(server.url)
        child = os.fork()
        if child == 0:
            os._exit(0 if kept.take(kept._idle[0].key) is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        transport.get(server.url)
        assert on(server) == [0, 0]
