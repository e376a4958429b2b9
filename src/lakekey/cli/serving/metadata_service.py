"""A local metadata service: every Databricks SDK, in any language, signed in through lakekey.

The SDKs ask ``GET $DATABRICKS_METADATA_SERVICE_URL`` with ``X-Databricks-Metadata-Version: 1`` and
``X-Databricks-Host``, and are answered with ``access_token``, ``token_type`` and ``expires_on`` (epoch seconds).

It hands out tokens, so it listens on loopback only, answers only under a path that cannot be guessed, and checks
``Host``, so that a web page cannot reach it by DNS rebinding.
"""

import contextlib
import hmac
import io
import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lakekey import _log
from lakekey.configuration.target import normalize_host
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired
from lakekey.providers.provider import Provider

_VERSION = "1"
_CROWD = 4  # times `most`, with the requests that are being answered: only who knows the secret path can keep those


class MetadataService(ThreadingHTTPServer):
    """The service.

    Args:
        providers: Whose tokens it hands out, one for each host.
        port: The port on loopback; 0 for any free one.

    Attributes:
        url: Its address, with the secret path: the value of ``DATABRICKS_METADATA_SERVICE_URL``.

    Raises:
        ConfigurationError: Two providers are for the same host, or the port cannot be had.
    """

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = sys.platform != "win32"  # there it would let another program share the port

    def __init__(
        self, providers: Iterable[Provider], *, port: int = 0, patience: float = 10.0, most: int = 128
    ) -> None:
        self.patience = patience
        self._most = most
        self._providers: dict[str, Provider] = {}
        for provider in providers:
            if self._providers.setdefault(provider.target.host, provider) is not provider:
                raise ConfigurationError(
                    f"two profiles are for {provider.target.host}, and a request names only the host",
                    hint="serve one of them here, and the other from a second service",
                    profile=provider.target.name,
                )
        self._places = threading.BoundedSemaphore(_CROWD * most)
        self._guard = threading.Lock()
        self._awaited: dict[socket.socket, None] = {}  # connections without a whole request yet, the oldest first
        self._path = f"/{secrets.token_urlsafe(32)}"
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            said = f"cannot listen on port {port}: {error.strerror}"
            raise ConfigurationError(said, hint="choose another --port") from None
        self._authority = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self._authority}{self._path}"

    def answer(self, host_header: str, path: str, version: str, workspace: str) -> tuple[int, dict[str, Any]]:
        """What to answer to a GET.

        Args:
            host_header: Its ``Host``.
            path: Its path.
            version: Its ``X-Databricks-Metadata-Version``.
            workspace: Its ``X-Databricks-Host``.

        Returns:
            The HTTP status and the JSON object.
        """
        known = hmac.compare_digest(path.encode(errors="replace"), self._path.encode())
        if not known or host_header.lower() not in (self._authority, f"localhost:{self.server_address[1]}"):
            return 404, {"error": "not found"}
        if version != _VERSION:
            return 400, {"error": f"X-Databricks-Metadata-Version must be {_VERSION}"}
        try:
            provider = self._providers[normalize_host(workspace, None)]
        except (KeyError, ConfigurationError):
            return 404, {"error": "no profile for this X-Databricks-Host is served here"}
        try:
            token = provider.token()
        except LakekeyError as error:
            _log.warning("serve", "%s", error)
            status = 401 if isinstance(error, LoginRequired) else 503
            return status, {"error": error.code, "message": error.message, "hint": error.hint}
        return 200, {
            "access_token": token.access_token,
            "token_type": token.token_type,
            "expires_on": int(token.expires_at.timestamp()),
        }

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; the one that is waited for longest makes room for it."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._guard:
            crowded = next(iter(self._awaited)) if len(self._awaited) >= self._most else None
            if crowded is not None:
                del self._awaited[crowded]
                with contextlib.suppress(OSError):
                    crowded.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it
            self._awaited[request] = None
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """What such a thread does."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def arrived(self, request: socket.socket) -> None:
        """Note that a connection's request is there: it need not make room for others any more."""
        with self._guard:
            self._awaited.pop(request, None)

    def _leave(self, request: socket.socket) -> None:
        self.arrived(request)
        self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore disconnected clients."""


class _Punctual(io.RawIOBase):
    """What arrives on a connection until a moment, all in all; a time limit of the socket's own begins with each byte.

    Args:
        connection: The connection.
        patience: Seconds from now.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(max(self._until - time.monotonic(), 0.001))
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: MetadataService
    server_version = "lakekey"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Punctual(self.connection, self.server.patience))

    def do_GET(self) -> None:
        self.server.arrived(self.connection)
        headers = self.headers
        status, facts = self.server.answer(
            headers.get("Host", ""),
            self.path.rstrip("/"),
            headers.get("X-Databricks-Metadata-Version", ""),
            headers.get("X-Databricks-Host", ""),
        )
        body = json.dumps(facts).encode()
        self.connection.settimeout(self.server.patience)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log no request line: it contains the secret path."""
