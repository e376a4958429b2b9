"""Threads that the work waits for are a part of it: a finalizer that runs in one of them does not wait for the work."""

import socket
import threading

import pytest

from lakekey import _inside_work
from lakekey._single_flight import Flights
from lakekey.cache.keys import keyring
from lakekey.cache.stores.lease import Leases
from lakekey.login.listener import LoopbackServer
from lakekey.login.paste import Asked

LONG = 30.0


class Keeper:
    """A store's side of leases that asks, as a finalizer would, as it renews one."""

    def __init__(self):
        self.asked = []
        self.renewed = threading.Event()

    def take(self, _name, nonce, _holder, _seconds, **_more):
        return nonce

    def renew(self, _name, _nonce, _seconds):
        self.asked.append(_inside_work.inside())
        self.renewed.set()
        return True

    def release(self, _name, _nonce):
        pass


def of_the_keyring(_monkeypatch):
    return keyring.within(LONG, _inside_work.inside)


def of_a_lease(_monkeypatch):
    keeper = Keeper()
    with Leases(keeper, 0.3).hold("name") as held:
        assert held
        keeper.renewed.wait(LONG)
    return keeper.asked[0]


def of_the_listener(_monkeypatch):
    asked, answered = [], threading.Event()

    def answer(_request):
        asked.append(_inside_work.inside())
        answered.set()

    listener = socket.create_server(("127.0.0.1", 0))
    server = LoopbackServer([listener], answer, lambda: None)
    server.start()
    try:
        with socket.create_connection(listener.getsockname(), LONG) as person:
            person.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answered.wait(LONG)
    finally:
        server.close()
    return asked[0]


def of_a_person_who_types(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _prompt: str(_inside_work.inside()))
    return Asked().line(LONG) == "True"


@pytest.mark.parametrize("thread", [of_the_keyring, of_a_lease, of_the_listener, of_a_person_who_types])
def test_code_in_a_thread_that_the_work_waits_for_is_inside_the_work(monkeypatch, thread):
    assert Flights().run("key", lambda _commitment: thread(monkeypatch), patience=LONG) is True
    assert not _inside_work.inside()
