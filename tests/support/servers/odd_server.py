"""A host whose token endpoint answers byte by byte as a test wants: for what no HTTP server would do."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Self

Answer = Callable[[socket.socket], None]


class OddServer:
    """Plain HTTP on loopback. Discovery works; the token endpoint does what it is given to do.

    Attributes:
        host: What a profile names.
        token_requests: How many requests the token endpoint has received.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.token_requests = 0
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        # Closing alone would leave the accepting thread where it is.
        with contextlib.suppress(OSError):  # Windows shuts no listener down; closing it ends what waits there
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                request += chunk
            try:
                if request.startswith(b"POST"):
                    self.token_requests += 1
                    self._answer(connection)
                else:
                    connection.sendall(self._discovery(request.split(b" ")[1].decode()))
            except OSError:
                pass  # the client hung up, which is what these tests are about

    def _discovery(self, path: str) -> bytes:
        issuer = f"{self.host}/oidc"
        if path.endswith("/oauth-authorization-server"):
            body = {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/v1/authorize",
                "token_endpoint": f"{issuer}/v1/token",
            }
        else:
            body = {"oidc_endpoint": issuer}
        text = json.dumps(body).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + text

    def drip(self, connection: socket.socket, begin: bytes) -> None:
        """Sends the beginning, and then a byte now and then until the client hangs up."""
        connection.sendall(begin)
        while not self.ended.wait(0.05):
            connection.sendall(b"x")
