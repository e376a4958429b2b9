"""One deadline over a whole exchange, which ends a wait and discards nothing."""

import _thread
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from urllib3.connection import HTTPConnection

from lakekey.errors import TokenEndpointError
from lakekey.oauth import deadlines
from lakekey.oauth.connecting import start
from lakekey.oauth.deadlines import Limits
from lakekey.oauth.transport import Transport
from support.tls import write_certificates

FORM = {"grant_type": "refresh_token", "refresh_token": "rt-spent-by-now"}
BODY = b'{"refresh_token": "rt-its-successor", "filler": "' + b"x" * 60_000 + b'"}'
FRAMINGS = {
    "length": b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    "until it closes": b"Connection: close\r\n\r\n" + BODY,
}
PATIENCE = 1.0
# Asks with that patience, and hears SIGCONT, so that system calls are interrupted when it comes.
ASKS = """
import signal, sys, time
import requests.auth, urllib3.util.ssl_  # so that the patience is not spent on them
from lakekey.oauth.transport import Transport
signal.signal(signal.SIGCONT, lambda *_: None)
url, ca_file, patience = sys.argv[1:]
deadline = time.monotonic() + float(patience)
answer = Transport(ca_file=ca_file or None).post_form(url, {"refresh_token": "t"}, deadline=deadline)
print(answer.json_object()["refresh_token"])
"""


class CalledOff(Exception):
    """The work was called off."""


class Work:
    """Work that can be called off, and notes when it commits itself."""

    def __init__(self):
        self.committed = threading.Event()
        self.off = threading.Event()
        self.paused = []

    def commit(self):
        if self.off.is_set():
            raise CalledOff
        self.committed.set()

    def settled(self):
        self.committed.clear()

    def pause(self, seconds):
        self.paused.append(seconds)
        if self.off.is_set():
            raise CalledOff


@contextlib.contextmanager
def answering(serve, wrap=lambda connection: connection):
    """A server that handles one connection in a thread; yields its port."""
    errors = []

    def accept():
        connection, _ = listener.accept()
        try:
            with contextlib.closing(wrap(connection)) as wrapped:
                serve(wrapped)
        except OSError as error:
            errors.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive()


def read_request(connection):
    asked = b""
    while b"\r\n\r\n" not in asked or b"=" not in asked.partition(b"\r\n\r\n")[2]:
        chunk = connection.recv(65536)
        assert chunk
        asked += chunk


def refuse(*_):
    raise RuntimeError("can't start new thread")


def sleep_until(moment):
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def tls_server(certificates):
    """What makes a server's connections speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    return lambda connection: context.wrap_socket(connection, server_side=True)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.posix_signals
def test_answer_is_read_by_a_process_woken_after_the_deadline(tmp_path, framing, secure):
    certificates = write_certificates(tmp_path)

    def stop_and_answer(connection):
        read_request(connection)
        os.kill(child.pid, signal.SIGSTOP)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + FRAMINGS[framing])
        sleep_until(time.monotonic() + PATIENCE + 0.2)  # the deadline is real, and so is its passing
        os.kill(child.pid, signal.SIGCONT)

    wrap = tls_server(certificates) if secure else lambda connection: connection
    with answering(stop_and_answer, wrap) as port:
        url = f"{'https' if secure else 'http'}://127.0.0.1:{port}/token"
        arguments = [url, str(certificates.ca) if secure else "", str(PATIENCE)]
        child = subprocess.Popen([sys.executable, "-c", ASKS, *arguments], stdout=subprocess.PIPE, text=True)
        said, _ = child.communicate(timeout=30)
    assert (child.returncode, said) == (0, "rt-its-successor\n")


def test_answer_slower_than_a_read_timeout_is_read():
    def slowly(connection):
        read_request(connection)
        sleep_until(time.monotonic() + 0.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with answering(slowly) as port:
        transport = Transport(limits=Limits(read=0.05))
        answer = transport.post_form(f"http://127.0.0.1:{port}/", FORM, deadline=time.monotonic() + 20)
    assert answer.json_object() == {}


def test_flood_after_the_deadline_is_cut_off():
    def flood(connection):
        read_request(connection)
        connection.settimeout(5)  # where its buffer was full when the client left, it learns that late
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with answering(flood) as port:
        began = time.monotonic()
        with pytest.raises(TokenEndpointError):
            Transport(limits=Limits(drain=0.2)).post_form(f"http://127.0.0.1:{port}/", FORM, deadline=began + 0.3)
        assert time.monotonic() - began < 10


def test_silence_behind_a_proxy_that_speaks_tls_itself_ends_at_the_deadline(tmp_path, monkeypatch):
    certificates = write_certificates(tmp_path)

    def say_nothing(connection):
        read_request(connection)
        connection.settimeout(30)
        with contextlib.suppress(OSError):
            connection.recv(1)

    def relay(source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_RDWR)

    def tunnel(connection):
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(1)
        with socket.create_connection(("127.0.0.1", origin)) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=relay, args=(onward, connection), daemon=True)
            back.start()
            relay(connection, onward)
            back.join(30)

    with (
        answering(say_nothing, tls_server(certificates)) as origin,
        answering(tunnel, tls_server(certificates)) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="in time"):
            Transport(ca_file=str(certificates.ca)).post_form(
                f"https://127.0.0.1:{origin}/", FORM, deadline=began + 0.5
            )
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Connection: close"])
def test_slow_answer_ends_without_a_thread_to_watch_it(monkeypatch, framing):
    """As in an interpreter that is exiting."""

    def drip(connection):
        read_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b" ")
                time.sleep(0.01)

    with answering(drip) as port:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        monkeypatch.setattr(_thread, "start_new_thread", refuse)
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="in time"):
            Transport().post_form(f"http://127.0.0.1:{port}/", FORM, deadline=began + 0.3)
        assert time.monotonic() - began < 10
        monkeypatch.undo()


def test_work_commits_when_connected_and_before_it_sends():
    work, seen = Work(), []

    def look(connection):
        assert work.committed.wait(10)
        seen.append(connection.recv(4))
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with answering(look) as port, deadlines.committing(work):
        Transport().post_form(f"http://127.0.0.1:{port}/", FORM)
    assert seen == [b"POST"]


def test_work_called_off_while_connecting_sends_nothing():
    transport = Transport(limits=Limits(connect=1.0))  # after which the connection is given up
    work, received = Work(), []

    def greet_never(connection):  # TLS does not come about, so the connection is not made
        received.append(connection.recv(65536))
        work.off.set()
        received.append(connection.recv(65536))

    with answering(greet_never) as port:
        began = time.monotonic()
        with pytest.raises(CalledOff), deadlines.committing(work):
            transport.post_form(f"https://127.0.0.1:{port}/", FORM, deadline=began + 60)
        assert time.monotonic() - began < 10
        socket.create_connection(("127.0.0.1", port)).close()
        assert not work.committed.is_set()
    assert b"refresh_token" not in b"".join(received)


def test_work_called_off_at_the_last_moment_sends_nothing():
    work, received = Work(), []
    work.off.set()

    with answering(lambda connection: received.append(connection.recv(65536))) as port:
        with pytest.raises(CalledOff), deadlines.committing(work):
            Transport().post_form(f"http://127.0.0.1:{port}/", FORM)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
    assert b"".join(received) == b""


def test_name_that_is_not_resolved_ends_at_the_deadline(monkeypatch):
    silent = threading.Event()

    def never(*_arguments, **_named):
        silent.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    work, began = Work(), time.monotonic()
    with pytest.raises(TokenEndpointError, match="in time"), deadlines.committing(work):
        Transport().post_form("https://workspace.example.com/", FORM, deadline=began + 0.3)
    assert time.monotonic() - began < 10
    assert not work.committed.is_set()
    assert set(work.paused) == {0}  # it asks only, since the wait for the connection is the pause
    silent.set()


def test_name_that_is_not_resolved_does_not_hold_an_interrupt(monkeypatch):
    work, silent = Work(), threading.Event()

    def never(*_arguments, **_named):
        work.off.set()
        silent.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    began = time.monotonic()
    with pytest.raises(CalledOff), deadlines.committing(work):
        Transport().post_form("https://workspace.example.com/", FORM, deadline=began + 60)
    assert time.monotonic() - began < 10
    silent.set()


def test_connection_that_comes_too_late_is_closed():
    closed = threading.Event()

    def late(connection):
        connection.recv(65536)  # the greeting, which is not answered before the deadline
        sleep_until(time.monotonic() + 0.5)
        while connection.recv(65536):
            pass
        closed.set()

    with answering(late) as port, pytest.raises(TokenEndpointError, match="in time"):
        Transport().post_form(f"https://127.0.0.1:{port}/", FORM, deadline=time.monotonic() + 0.2)
    assert closed.wait(10)


def test_proxy_that_drips_does_not_hold_the_connection_that_was_left(monkeypatch):
    ended = threading.Event()

    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nX: ")
        with contextlib.suppress(OSError):
            while not ended.is_set():
                connection.sendall(b"x")
                ended.wait(0.02)
            return
        ended.set()

    with answering(drip) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(TokenEndpointError, match="in time"):
            Transport().post_form("https://workspace.example.com/", FORM, deadline=time.monotonic() + 0.2)
        dropped = ended.wait(30)
        ended.set()
    assert dropped


def test_wait_for_bytes_has_an_end_of_its_own_only_where_no_thread_ends_it(monkeypatch):
    watched = deadlines.Watch(time.monotonic() + 60)
    assert (watched.read_timeout is None) is (sys.platform != "win32")
    watched.stop()
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert 0 < deadlines.Watch(time.monotonic() + 60).read_timeout <= 60
    assert deadlines.Watch(time.monotonic() - 60).read_timeout == 0.001


@pytest.mark.parametrize("threads", [True, False], ids=["threads", "no thread"])
def test_connection_that_is_made_after_the_deadline_is_closed_and_not_used(monkeypatch, threads):
    received, work, resolve = [], Work(), socket.getaddrinfo

    def slowly(*arguments, **named):
        sleep_until(deadline + 0.05)
        return resolve(*arguments, **named)

    with answering(lambda connection: received.append(connection.recv(65536))) as port:
        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        if not threads:  # as in an interpreter that is exiting
            monkeypatch.setattr(_thread, "start_new_thread", refuse)
        deadline = time.monotonic() + 0.2
        with pytest.raises(TokenEndpointError, match="in time"), deadlines.committing(work):
            Transport().post_form(f"http://127.0.0.1:{port}/", FORM, deadline=deadline)
    assert not work.committed.is_set()
    assert received == [b""]


def test_connection_that_waited_is_not_used_after_the_deadline():
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs), contextlib.closing(HTTPConnection("127.0.0.1")) as connection:
        connection.sock = ours
        work = Work()
        with deadlines.committing(work), deadlines.enforced(time.monotonic() + 60) as watch:
            watch._deadline = time.monotonic() - 1
            with pytest.raises(TimeoutError):
                watch.use(connection)
    assert not work.committed.is_set()


@pytest.mark.posix_signals
def test_silent_server_is_not_waited_for_beyond_the_deadline():
    transport = Transport(limits=Limits(drain=60.0))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(TokenEndpointError, match="in time"):
            transport.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", deadline=began + 0.2)
        assert time.monotonic() - began < 30


def test_connection_with_something_left_to_read_is_open_after_the_deadline():
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs), contextlib.closing(HTTPConnection("127.0.0.1")) as connection:
        connection.sock = ours
        with deadlines.enforced(time.monotonic() + 60, drain=60.0) as watch:
            theirs.sendall(b"late")
            watch.use(connection)
            watch._deadline = time.monotonic()  # only now, however long that took
            assert start(watch._watch)
            theirs.settimeout(0.5)  # several looks
            with pytest.raises(TimeoutError):
                theirs.recv(1)
            assert ours.recv(4) == b"late"
            theirs.settimeout(30)
            assert theirs.recv(1) == b""
            assert watch.over


def test_exchange_that_is_done_is_not_ended_at_its_deadline():
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs), contextlib.closing(HTTPConnection("127.0.0.1")) as connection:
        connection.sock = ours  # which waits for the next exchange
        with deadlines.enforced(time.monotonic() + 60) as watch:
            watch.use(connection)
        watch._deadline = time.monotonic() - 1
        watch._watch()  # as its thread does
        assert not watch.over
        ours.sendall(b"next")
        assert theirs.recv(4) == b"next"


def test_work_is_committed_by_the_requests_of_its_context_only():
    work = Work()

    def answer(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with answering(answer) as port:
        with deadlines.committing(work):
            pass
        Transport().post_form(f"http://127.0.0.1:{port}/", FORM)
    assert not work.committed.is_set()


def test_exchange_inside_another_leaves_that_its_own_deadline():
    now = time.monotonic()
    with deadlines.enforced(now + 60) as outer:
        with deadlines.enforced(now + 60) as inner:
            assert deadlines.watch_of_this_exchange() is inner
        assert deadlines.watch_of_this_exchange() is outer


def test_work_commits_before_it_sends_through_a_proxy(tmp_path, monkeypatch):
    certificates, work, before = write_certificates(tmp_path), Work(), []

    def tunnel(connection):
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(1)
        before.append(work.committed.is_set())
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls_server(certificates)(connection) as origin:
            read_request(origin)
            before.append(work.committed.is_set())
            origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with answering(tunnel) as port, deadlines.committing(work):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert Transport(ca_file=str(certificates.ca)).post_form("https://127.0.0.1:9/", FORM).status == 200
    assert before == [False, True]


def test_inner_deadline_does_not_outlast_the_outer_one():
    now = time.monotonic()
    with deadlines.within(now + 1), deadlines.within(now + 5):
        assert deadlines.earliest(now + 9) == now + 1
    assert deadlines.earliest(now + 9) == now + 9


@pytest.mark.parametrize(("drain", "is_cut_off"), [(60.0, False), (0.0, True)])
def test_answer_of_a_process_that_was_stopped_before_it_sent_its_request_is_waited_for(drain, is_cut_off):
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs), contextlib.closing(HTTPConnection("127.0.0.1")) as connection:
        connection.sock = ours
        with deadlines.enforced(time.monotonic() + 60, drain=drain) as watch:
            watch.use(connection)  # which it is stopped right after
            watch._deadline = time.monotonic() - 60
            assert start(watch._watch)
            theirs.settimeout(30 if is_cut_off else 0.5)  # several looks
            with contextlib.nullcontext() if is_cut_off else pytest.raises(TimeoutError):
                assert theirs.recv(1) == b""
