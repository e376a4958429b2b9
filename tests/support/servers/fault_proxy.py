"""A TCP proxy between a client and a server, which does to the bytes what networks do."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from support.servers.postgresql import free_port

_CHUNK = 65536


class FaultProxy:
    """Passes bytes on until it is told otherwise; a context manager.

    Args:
        port: The server's port on 127.0.0.1.
        listener: What it accepts connections on; ``None`` for a port of its own.

    Attributes:
        port: Its own.
        connections: How many it has accepted.
        cuts: How many answers it has cut off, or put others in the place of.
    """

    def __init__(self, port: int, *, listener: socket.socket | None = None) -> None:
        self.port = listener.getsockname()[1] if listener else free_port()
        self._given = listener
        self.connections = 0
        self.cuts = 0
        self._server = port
        self._swallow = False
        self._refuse = False
        self._refused: frozenset[int] = frozenset()
        self._delay = 0.0
        self._cut_when: Callable[[bytes], bool] | None = None
        self._swallow_when: Callable[[bytes], bool] | None = None
        self._drip_when: Callable[[bytes], bool] | None = None
        self._garble: tuple[Callable[[bytes], bool], bytes] | None = None
        self._left = 0
        self._open: set[socket.socket] = set()
        self._stop = threading.Event()

    # What goes wrong

    def black_hole(self) -> None:
        """From now on, bytes disappear on the way, and connections stay open."""
        self._swallow = True

    def away(self) -> None:
        """Every connection is reset, and each new one as well."""
        self._refuse = True
        self._reset_all()

    def refuse(self, *which: int) -> None:
        """Some of the coming connections are reset, by their numbers; the next one is 1."""
        self._refused = frozenset(self.connections + number for number in which)

    def slow(self, seconds: float) -> None:
        """What the server answers arrives so much later."""
        self._delay = seconds

    def cut_replies(self, when: Callable[[bytes], bool], times: int = 1) -> None:
        """After the server has answered a request, its answer is lost and the connection reset.

        Args:
            when: Whether it is this request, by the bytes that the client has sent on the connection since the last
                answer.
            times: How often.
        """
        self._cut_when, self._left = when, times

    def drip_replies(self, when: Callable[[bytes], bool]) -> None:
        """After the server has answered a request, its answer comes byte by byte, and never whole; once.

        Args:
            when: See `cut_replies`.
        """
        self._drip_when, self._left = when, 1

    def garble_reply(self, when: Callable[[bytes], bool], nonsense: bytes) -> None:
        """After the server has answered a request, these bytes come in place of its answer; once.

        Args:
            when: See `cut_replies`.
            nonsense: What comes.
        """
        self._garble = when, nonsense

    def swallow_requests(self, when: Callable[[bytes], bool]) -> None:
        """Requests of this kind disappear on the way, as before a server that is frozen."""
        self._swallow_when = when

    def well(self) -> None:
        """Nothing goes wrong any more."""
        self._swallow = self._refuse = False
        self._refused = frozenset()
        self._delay, self._cut_when, self._swallow_when = 0.0, None, None
        self._drip_when = self._garble = None

    # The proxy

    def __enter__(self) -> Self:
        self._listener = self._given or socket.create_server(("127.0.0.1", self.port), backlog=256)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listener.close()
        self._reset_all()
        self._thread.join(10)

    def _accept(self) -> None:
        self._listener.settimeout(0.1)
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            if self._refuse or self.connections in self._refused:
                _reset(client)
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server), 10)
        except OSError:
            _reset(client)
            return
        self._open |= {client, server}
        with contextlib.suppress(OSError, ValueError):
            self._pass_on(client, server)
        for end in (client, server):
            self._open.discard(end)
        _reset(client)
        with contextlib.suppress(OSError):
            server.close()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Carry bytes until one end is done. Raises `OSError` then."""
        request, answered = b"", False
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    data = key.fileobj.recv(_CHUNK)
                    if not data:
                        raise ConnectionResetError
                    if key.fileobj is client:
                        request, answered = (data if answered else request + data), False
                    else:
                        answered = True
                        self._hold_up(request)
                        self._drip(client, request, data)
                        data = self._garbled(request, data)
                    lost = self._swallow_when and key.fileobj is client and self._swallow_when(request)
                    if not self._swallow and not lost:
                        key.data.sendall(data)

    def _hold_up(self, request: bytes) -> None:
        """What happens to an answer."""
        if self._cut_when and self._left > 0 and self._cut_when(request):
            self._left -= 1
            self.cuts += 1
            raise ConnectionResetError
        if self._delay:
            time.sleep(self._delay)

    def _garbled(self, request: bytes, answer: bytes) -> bytes:
        """What comes in place of an answer."""
        if self._garble and self._garble[0](request):
            (_, answer), self._garble = self._garble, None
            self.cuts += 1
        return answer

    def _drip(self, client: socket.socket, request: bytes, answer: bytes) -> None:
        """All but the end of an answer, byte by byte, until the client has gone. Raises `OSError` then."""
        if self._drip_when and self._left > 0 and self._drip_when(request):
            self._left -= 1
            self.cuts += 1
            for place in range(len(answer) - 1):
                client.sendall(answer[place : place + 1])
                time.sleep(0.2)
            client.recv(_CHUNK)
            raise ConnectionResetError

    def _reset_all(self) -> None:
        for end in list(self._open):
            _reset(end)
            self._open.discard(end)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()
