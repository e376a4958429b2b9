"""The loopback redirect (RFC 8252 §7.3): one address, one answer, and everything else outlived.

Bound before the browser opens, on the loopback interface only (RFC 8252 §8.3), and closed with the login.
"""

import contextlib
import hmac
import socket
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from lakekey.errors import LoginFailed
from lakekey.oauth import pages

_OUTCOME_WAIT = 40.0
_LONGEST_QUERY = 8192


class Callback:
    """Listens for one authorization answer.

    Args:
        ports: Ports to try in order; 0 stands for any free one.
        path: The redirect address's path.
        host_name: The host that the registered redirect address names.
    """

    def __init__(self, ports: Iterable[int], *, path: str = "", host_name: str = "localhost") -> None:
        self._path = path or "/"
        self._guard = threading.Lock()
        self._state = ""
        self._answer: dict[str, str] | None = None
        self.answered = threading.Event()
        self._page: bytes | None = None
        self._page_ready = threading.Event()
        self._servers = _bind(ports, self)
        self.port = int(self._servers[0].server_address[1])
        self.redirect_uri = f"http://{host_name}:{self.port}{path}"

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="lakekey-callback", daemon=True
            ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._page_ready.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def expect(self, state: str) -> None:
        """Accept the answer that carries this ``state``, and no other."""
        self._state = state

    def answer(self) -> dict[str, str]:
        """The parameters of the answer, once `answered` is set."""
        with self._guard:
            assert self._answer is not None
            return self._answer

    def show(self, page: bytes) -> None:
        """Give the waiting browser its page."""
        self._page = page
        self._page_ready.set()

    def offer(self, query: str) -> bytes | None:
        """Take a request to the redirect address; called by the server's threads.

        Returns:
            The page for the browser, or ``None`` where the request is not the answer that is waited for.
        """
        if len(query) > _LONGEST_QUERY or not query.isascii():
            return None
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
        parameters = dict(pairs)
        # RFC 6749 §3.1: parameters must not come twice.
        if len(parameters) != len(pairs) or not ("code" in parameters) ^ ("error" in parameters):
            return None
        if not self._state or not hmac.compare_digest(parameters.get("state", "").encode(), self._state.encode()):
            return None
        with self._guard:
            first = self._answer is None
            if first:
                self._answer = parameters
        if first:
            self.answered.set()
        self._page_ready.wait(_OUTCOME_WAIT)
        return self._page or pages.unknown()

    def is_ours(self, host_header: str | None, path: str) -> bool:
        """Whether a request is for the redirect address: ``Host`` guards against DNS rebinding."""
        names = (f"localhost:{self.port}", f"127.0.0.1:{self.port}", f"[::1]:{self.port}")
        return (host_header or "").lower() in names and path == self._path


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    callback: Callback

    def server_bind(self) -> None:
        # Another program must not be able to share the port and read the code: Windows lets it unless told so.
        if sys.platform == "win32":
            self.allow_reuse_address = False
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # A login that has just ended keeps its port in TIME_WAIT for a minute: 21 of them would use up all ports.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A stray that breaks off is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds that a silent connection keeps its thread
    server_version = "lakekey"
    sys_version = ""

    def do_GET(self) -> None:
        callback = self.server.callback
        target = urlsplit(self.path)
        page = None
        if callback.is_ours(self.headers.get("Host"), target.path):
            page = callback.offer(target.query)
        if page is None:
            self._send(404, pages.not_found())
        else:
            self._send(200, page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Any other method, or a malformed request: answered, without echoing anything of it."""
        self.close_connection = True
        self._send(404 if code == 501 else code, pages.not_found())

    def _send(self, status: int, page: bytes) -> None:
        self.send_response(status)
        for name, value in pages.HEADERS:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Request lines carry the code: none is written anywhere."""


def _bind(ports: Iterable[int], callback: Callback) -> list[_Server]:
    tried = []
    for port in ports:
        servers: list[_Server] = []
        try:
            servers.append(_Server(("127.0.0.1", port), _Handler))
            bound = servers[0].server_address[1]
            if _has_ipv6():
                # A browser may try either for "localhost"; whoever held the other would receive the code.
                servers.append(_Server6(("::1", bound), _Handler))
        except OSError:
            for server in servers:
                server.server_close()
            tried.append(port)
            continue
        for server in servers:
            server.callback = callback
        return servers
    span = f"{tried[0]} to {tried[-1]}" if len(tried) > 1 else str(tried[0] if tried else "none")
    raise LoginFailed(
        f"no port is free for the sign-in's answer (tried {span})",
        hint=f"see who holds them: ss -ltnp 'sport >= :{min(tried, default=0)}'",
    )


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
