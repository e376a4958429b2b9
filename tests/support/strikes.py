"""Signals that a test sends to its child on Windows, where no process can send another one.

The console of Windows runs a handler in a thread of its own; so does this: a thread of the child raises what it is told.
"""

import os
import signal
import socket
import threading

from support.reports import STRIKES


class Striker:
    """The test's side.

    Attributes:
        environ: What its child needs to know.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.environ = {STRIKES: str(self._server.getsockname()[1])}

    def strike(self, number: int) -> None:
        """Has the child raise a signal."""
        connection, _ = self._server.accept()
        with connection:
            connection.sendall(bytes([number]))

    def close(self) -> None:
        """No more signals."""
        self._server.close()


def listen() -> None:
    """The child's side: waits for signals."""
    threading.Thread(target=_listen, args=[int(os.environ.pop(STRIKES))], daemon=True).start()


def _listen(port: int) -> None:
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                word = connection.recv(1)
        except OSError:  # the test is over
            return
        if not word:
            return
        signal.raise_signal(word[0])
