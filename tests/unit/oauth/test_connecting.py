"""Attempts to connect that are abandoned, and where none can run beside its caller."""

import contextlib
import socket
import sys

import pytest
from urllib3.connection import HTTPConnection

from lakekey.oauth.connecting import Attempt, start


@pytest.fixture
def connection():
    with contextlib.closing(HTTPConnection("127.0.0.1")) as connection:
        yield connection


@pytest.mark.parametrize("abandoned_first", [True, False])
def test_connection_that_is_not_waited_for_is_closed_whichever_comes_first(connection, abandoned_first):
    ours, theirs = socket.socketpair()
    attempt = Attempt(connection, lambda: setattr(connection, "sock", ours))
    for step in (attempt.abandon, attempt.run) if abandoned_first else (attempt.run, attempt.abandon):
        step()
    assert connection.sock is None
    with theirs:
        theirs.settimeout(10)
        assert theirs.recv(1) == b""


def test_connection_that_is_waited_for_is_left_open(connection):
    ours, theirs = socket.socketpair()
    attempt = Attempt(connection, lambda: setattr(connection, "sock", ours))
    attempt.run()
    attempt.result()
    with theirs:
        ours.sendall(b"open")
        assert theirs.recv(4) == b"open"


def test_failure_is_raised_to_the_caller(connection):
    def refuse():
        raise ConnectionRefusedError

    attempt = Attempt(connection, refuse)
    attempt.run()
    with pytest.raises(ConnectionRefusedError):
        attempt.result()


def test_nothing_is_started_while_the_interpreter_ends(monkeypatch):
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert not start(lambda: pytest.fail("it was started"))
