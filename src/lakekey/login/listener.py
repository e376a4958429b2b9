"""A very small HTTP server for one loopback address: no request can crash it or hold it up.

One thread, no thread per connection, and a bound on everything: bytes of a request, seconds that a connection may
take, connections at once. A stray that never ends its request costs one slot for a while and nothing else. When the
slots run out the connection that has waited longest makes room, so that a scanner cannot keep the browser out.
"""

import contextlib
import contextvars
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from lakekey.errors import LoginFailed

MAX_REQUEST = 32 * 1024
MAX_CONNECTIONS = 100
_BACKLOG = 128
_CHUNK = 16 * 1024


class Request(NamedTuple):
    """A request's head, as far as it matters here.

    Attributes:
        method: ``GET``, ….
        target: The request target (RFC 9112 §3.2).
        hosts: The values of all ``Host`` fields; a good request has one (RFC 9112 §3.2).
    """

    method: str
    target: str
    hosts: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Request({self.method})"  # the target holds the authorization code


class Reply(NamedTuple):
    """What goes back: a status, header fields and a page."""

    status: int
    headers: Sequence[tuple[str, str]]
    page: bytes

    def to_bytes(self) -> bytes:
        """The whole answer, after which the connection ends."""
        fields = [*self.headers, ("Content-Length", str(len(self.page))), ("Connection", "close")]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n{head}\r\n".encode() + self.page


class _Connection:
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.received = b""
        self.sending = b""
        self.parked = False  # asked for something that is not known yet
        self.draining = False  # answered; reads what the peer still sends, so that no reset overtakes the answer
        self.deadline = deadline


class LoopbackServer:
    """Serves requests to some listening sockets until it is closed.

    Args:
        listeners: Bound, listening sockets; closed with the server.
        answer: Answers a request, or a malformed one (``None``). ``None`` parks the request until `settle`.
        settle: Gives the reply for parked requests once there is one, else ``None``.

    Attributes:
        patience: Seconds for a request to arrive whole, and for its answer to leave.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        answer: Callable[[Request | None], Reply | None],
        settle: Callable[[], Reply | None],
    ) -> None:
        self._listeners = listeners
        self._answer = answer
        self._settle = settle
        self.patience = 10.0
        self._connections: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._closing = False
        # In this context: code that runs in there, such as a finalizer, is a part of what waits for the answer.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="lakekey-callback", daemon=True)
        self._started = False

    def start(self) -> None:
        """Begin to serve. Where that is not possible, it is closed.

        Raises:
            LoginFailed: No thread can be started.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            self.close()
            raise LoginFailed(
                f"cannot start a thread ({error})", hint="allow more processes or memory (ulimit -u, --pids-limit)"
            ) from None
        self._started = True

    def wake(self) -> None:
        """Look again whether parked requests can be answered."""
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def close(self) -> None:
        """Free the port at once; answers that are on their way have a moment to leave."""
        self._closing = True
        self.wake()
        if self._started:
            self._thread.join(self.patience)
        else:
            self._selector.close()
            self._wake_receiver.close()
        self._close_listeners()
        self._wake_sender.close()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._step(0.2)
            self._close_listeners()
            self._flush()
        finally:
            for connection in list(self._connections.values()):
                self._drop(connection)
            self._selector.close()
            self._wake_receiver.close()

    def _flush(self) -> None:
        """Let what has been decided leave, for a second at most."""
        self._settle_parked()
        for connection in list(self._connections.values()):
            if not connection.sending and not connection.draining:
                self._drop(connection)
        deadline = time.monotonic() + 1.0
        while self._connections and time.monotonic() < deadline:
            self._step(0.05)

    def _step(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is self._wake_receiver:
                with contextlib.suppress(OSError):
                    sock.recv(4096)
            elif sock in self._listeners:
                self._accept(sock)
            elif sock in self._connections:
                self._serve(self._connections[sock])
        self._settle_parked()
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if now > connection.deadline and not connection.parked:
                self._drop(connection)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # it hung up before it was let in, or descriptors are short: the next one may do better
        if len(self._connections) >= MAX_CONNECTIONS:
            self._make_room()
        sock.setblocking(False)
        self._connections[sock] = _Connection(sock, time.monotonic() + self.patience)
        self._selector.register(sock, selectors.EVENT_READ)

    def _make_room(self) -> None:
        # Those that wait for the sign-in's outcome are the last to go.
        self._drop(min(self._connections.values(), key=lambda each: (each.parked, each.deadline)))

    def _serve(self, connection: _Connection) -> None:
        try:
            if connection.sending:
                sent = connection.sock.send(connection.sending)
                connection.sending = connection.sending[sent:]
                if not connection.sending:
                    connection.sock.shutdown(socket.SHUT_WR)
                    connection.draining = True
                    self._selector.modify(connection.sock, selectors.EVENT_READ)
                return
            chunk = connection.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(connection)
            return
        if not chunk:
            self._drop(connection)
        elif not connection.draining and not connection.parked:
            connection.received += chunk
            self._consider(connection)

    def _consider(self, connection: _Connection) -> None:
        head, end, _ = connection.received.partition(b"\r\n\r\n")
        if not end and len(connection.received) <= MAX_REQUEST and _may_be_http(connection.received):
            return
        request = _parse(head) if end and len(head) <= MAX_REQUEST else None
        connection.received = b""
        reply = self._answer(request)
        if reply is None:
            connection.parked = True
        else:
            self._send(connection, reply)

    def _settle_parked(self) -> None:
        parked = [each for each in self._connections.values() if each.parked]
        reply = self._settle() if parked else None
        if reply is not None:
            for connection in parked:
                connection.parked = False
                self._send(connection, reply)

    def _send(self, connection: _Connection, reply: Reply) -> None:
        connection.sending = reply.to_bytes()
        connection.deadline = time.monotonic() + self.patience
        self._selector.modify(connection.sock, selectors.EVENT_WRITE)

    def _drop(self, connection: _Connection) -> None:
        if self._connections.pop(connection.sock, None) is None:
            return
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            if listener.fileno() >= 0:
                with contextlib.suppress(KeyError, ValueError, RuntimeError):  # the selector may be closed already
                    self._selector.unregister(listener)
                # Closing alone would leave it listening in the children that were forked meanwhile.
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()


def listen(address: str, port: int) -> socket.socket:
    """A listening socket that no other process can share.

    Raises:
        OSError: The port is taken.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There, another program could bind the same port and read the code, unless told so.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Here it only means that connections of an earlier sign-in, still winding down, do not block the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _may_be_http(received: bytes) -> bool:
    """Whether this can still become a request: a method is a short word in capitals (a TLS greeting is not)."""
    method = received[:16].split(b" ", 1)[0]
    return method.isalpha() and method.isupper() and len(method) < 16


def _parse(head: bytes) -> Request | None:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].isprintable():
        return None
    hosts = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            return None  # also a folded line (RFC 9112 §5.2)
        if name.lower() == "host":
            hosts.append(value.strip())
    return Request(words[0], words[1], tuple(hosts))
