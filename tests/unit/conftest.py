"""A local HTTP server for each test that asks for one; properties have no time limit, which would measure the machine."""

import os
import threading

import pytest
from hypothesis import settings

from support.servers.local_server import LocalServer

settings.register_profile("patient", deadline=None)
settings.register_profile("windows", deadline=None, max_examples=3, stateful_step_count=10)
settings.load_profile("patient" if os.name == "posix" else "windows")  # Wine is slow, and Linux searches


@pytest.fixture
def server():
    with LocalServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def no_threads(monkeypatch):
    """No thread starts, so that the main thread itself makes the exchange, and holds signals back for as long."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
