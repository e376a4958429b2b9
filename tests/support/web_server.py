"""A real ASGI server for one test: uvicorn on a loopback port, in a thread."""

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

_PATIENCE = 30.0


def free_socket():
    """A listening socket, whose port is known before the application is made."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def serving(app, listener=None, **settings):
    """Serves an application; gives its address."""
    listener = listener or free_socket()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", **{"log_config": None, **settings}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _PATIENCE
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        listener.close()
        assert not thread.is_alive(), "the server did not end"
