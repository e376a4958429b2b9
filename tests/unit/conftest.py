"""A local HTTP server for each test that asks for one; properties have no time limit, which would measure the machine."""

import threading

import pytest
from hypothesis import settings

from support.servers.local_server import LocalServer

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def server():
    with LocalServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
