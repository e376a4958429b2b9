"""A threaded HTTPS server for one WSGI application, on loopback only.

Werkzeug's own server closes the connection after every answer and shakes hands in the accepting thread.
Connectors keep their connections open, and one client that stalls in its handshake must not stop the
others: so this is the standard library's server with TLS begun in the connection's own thread.
"""

import io
import logging
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import WSGIApplication

from werkzeug.serving import DechunkedInput
from werkzeug.wrappers import Response

LOG = logging.getLogger("lakekey.sandbox")

_HANDSHAKE_SECONDS = 10.0
_IDLE_SECONDS = 300.0
_LARGEST_BODY = 64 * 1024 * 1024


class ConnectionDropped(Exception):
    """Raised by an application that wants the connection closed without an answer."""


class Connection(WSGIRequestHandler):
    """One client's connection: HTTP/1.1 with keep-alive, one request after the other."""

    server: "HTTPSServer"

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    # A Thrift answer is a header and a body: unbuffered and with Nagle's algorithm, each query would wait
    # 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    # The WSGI handler serves one request and closes; the plain one keeps the connection.
    handle = BaseHTTPRequestHandler.handle

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Keeps request lines off the terminal: the sandbox has its own log."""

    def version_string(self) -> str:
        """The ``Server`` header."""
        return "lakekey-sandbox"

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        """Answers a request through the application, whatever its method."""
        body = self._read_body()
        if body is None:
            return
        environ = self.get_environ()
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer = Response.from_app(self.server.app, environ, buffered=True)
        except ConnectionDropped:
            self.close_connection = True
            return
        self._write(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815  http.server's names

    def _read_body(self) -> bytes | None:
        """Reads the whole body, so that the next request starts where it should (RFC 9112 §6.3)."""
        coding = self.headers.get("Transfer-Encoding")
        length = self.headers.get("Content-Length")
        if coding is not None:
            # RFC 9112 §6.1: both headers at once is how requests are smuggled.
            if coding.strip().lower() != "chunked" or length is not None:
                return self._refuse(400)
            body = _read_chunks(self.rfile)
        else:
            if length is not None and not length.isdecimal():
                return self._refuse(400)
            expected = int(length or 0)
            if expected > _LARGEST_BODY:
                return self._refuse(413)
            body = self.rfile.read(expected)
            if len(body) < expected:
                self.close_connection = True
                return None
        return body if len(body) <= _LARGEST_BODY else self._refuse(413)

    def _refuse(self, status: int) -> bytes | None:
        self.close_connection = True
        self.send_error(status)
        return None

    def _write(self, answer: Response) -> None:
        body = answer.get_data()
        declared = answer.headers.get("Content-Length", type=int)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        # A fault may declare more than it sends: the client has to notice the end of the connection.
        self.send_header("Content-Length", str(len(body) if declared is None else declared))
        if self.command != "HEAD":
            self.close_connection |= declared is not None and declared != len(body)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


class AcceptedSocket(ssl.SSLSocket):
    """The server's end of a connection whose client may be gone already.

    Wrapping a socket asks for its peer, and where the client's reset has arrived in the meantime, it raises
    and leaves the descriptor open. Without an answer to that question, the handshake is what fails.
    """

    def getpeername(self) -> Any:
        """The client's address, or an empty one."""
        try:
            return super().getpeername()
        except OSError:
            return ("", 0)


class HTTPSServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves one WSGI application over TLS on 127.0.0.1.

    Args:
        port: The port to bind, or 0 for any free one.
        context: The TLS server context.

    Attributes:
        app: The application; set before ``start``.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024  # 64 processes of 8 threads may connect at the same moment

    app: WSGIApplication

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.port: int = self.socket.getsockname()[1]
        self.base_environ: dict[str, Any] = {
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.port),
            "SCRIPT_NAME": "",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        self._context = context
        self._context.sslsocket_class = AcceptedSocket
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._acceptor = threading.Thread(target=self.serve_forever, args=(0.05,), name="lakekey-sandbox", daemon=True)

    def start(self) -> None:
        """Begins to accept connections, in a thread of its own."""
        self._acceptor.start()

    def stop(self) -> None:
        """Stops accepting, closes every connection, and waits for their threads."""
        if self._acceptor.is_alive():
            self.shutdown()
            self._acceptor.join()
        self.server_close()
        with self._lock:
            self._stopping = True
            connections = list(self._open.items())
        for connection, _ in connections:
            _shutdown(connection)
        for _, thread in connections:
            thread.join(2)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands and serves one connection; called in the connection's own thread."""
        try:
            request.settimeout(_HANDSHAKE_SECONDS)
            with self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as connection:
                self._serve(connection, client_address)
        except (OSError, ValueError) as error:
            # Clients that go away, that do not trust us, or that speak no TLS: theirs to report.
            LOG.debug("connection ended: %s", error)
        except Exception:
            LOG.exception("the sandbox failed to serve a connection")

    def _serve(self, connection: ssl.SSLSocket, client_address: Any) -> None:
        with self._lock:
            if self._stopping:
                return
            self._open[connection] = threading.current_thread()
        try:
            connection.do_handshake()
            Connection(connection, client_address, self)
        finally:
            with self._lock:
                del self._open[connection]
            _shutdown(connection)


def _read_chunks(stream: BufferedIOBase) -> bytes:
    """Reads a chunked body (RFC 9112 §7.1), and at most one byte more than is allowed."""
    return io.BufferedReader(DechunkedInput(stream)).read(_LARGEST_BODY + 1)  # type: ignore[type-var, arg-type]


def _shutdown(connection: socket.socket) -> None:
    # Not SSLSocket.shutdown: it takes the TLS object away from under the thread that is reading from it.
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return
