"""Servers that say bytes which a test gives them, where no real server would."""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


@contextmanager
def listening(handle: Callable[[BinaryIO, BinaryIO], None]) -> Iterator[int]:
    """A server on loopback that handles each connection by a function of its two files; gives its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                handle(self.rfile, self.wfile)
            except (OSError, struct.error):
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
