"""The loopback redirect (RFC 8252 §7.3): one address, one answer, and no harm from anything else that is sent.

Bound before the browser opens, on the loopback interface only (RFC 8252 §8.3), and closed with the login.
"""

import socket
import threading
from collections.abc import Iterable
from typing import Self

from lakekey._commands import listeners
from lakekey._hosts import LOOPBACK, in_address
from lakekey.errors import LoginFailed
from lakekey.login import pages
from lakekey.login.listener import LoopbackServer, Reply, Request, listen
from lakekey.login.port_holders import holders_of
from lakekey.oauth.authorization_answer import read_answer, state_matches


class Callback:
    """Listens for one authorization answer.

    Args:
        ports: Ports to try in order, one at least; 0 stands for any free one.
        path: The redirect address's path.
        host_name: The host that the registered redirect address names.

    Raises:
        LoginFailed: None of the ports is free, or the host is ``::1`` on a machine without IPv6.
    """

    def __init__(self, ports: Iterable[int], *, path: str = "", host_name: str = "localhost") -> None:
        self._path = path or "/"
        self._state = ""
        self._answer: dict[str, str] | None = None
        self.answered = threading.Event()
        self._outcome: Reply | None = None
        listeners = _bind(ports, host_name)
        self.port = int(listeners[0].getsockname()[1])
        self.redirect_uri = f"http://{in_address(host_name)}:{self.port}{path}"
        self._server = LoopbackServer(listeners, self._reply, lambda: self._outcome)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._answer is not None and self._outcome is None:
            self._outcome = _page(200, pages.unknown())
        self._server.close()

    def expect(self, state: str) -> None:
        """Accept the answer that carries this ``state``, and no other."""
        self._state = state

    def answer(self) -> dict[str, str]:
        """The parameters of the answer, once `answered` is set."""
        assert self._answer is not None
        return self._answer

    def show(self, page: bytes) -> None:
        """Give the waiting browser its page."""
        self._outcome = _page(200, page)
        self._server.wake()

    def _reply(self, request: Request | None) -> Reply | None:
        """Answer one request; ``None`` lets the browser wait for the outcome. Called by the server's one thread."""
        if request is None or request.method != "GET":
            return _page(404, pages.not_found())
        # Compared as it came, and not taken apart as an address: what a stray sends need not be one.
        path, _, query = request.target.partition("?")
        if path != self._path or not self._is_ours(request.hosts):
            return _page(404, pages.not_found())
        parameters = read_answer(query)
        if parameters is None:
            return _page(404, pages.not_found())
        if not state_matches(parameters, self._state):
            return _page(404, pages.stale())
        if self._answer is None:
            self._answer = parameters
            self.answered.set()
        return None

    def _is_ours(self, hosts: tuple[str, ...]) -> bool:
        # A page of another site that had its name resolve to this machine (DNS rebinding) sends its own name here.
        names = [in_address(name) for name in LOOPBACK]
        host = hosts[0].lower() if len(hosts) == 1 else ""
        # RFC 9110 §7.2 and §4.2.1: for port 80, clients leave the port out.
        return host.removesuffix(f":{self.port}") in names and (host not in names or self.port == 80)


def _page(status: int, page: bytes) -> Reply:
    return Reply(status, pages.HEADERS, page)


def _bind(ports: Iterable[int], host_name: str) -> list[socket.socket]:
    # A browser may try either address for "localhost"; a program that held the other would receive the code.
    addresses = ["127.0.0.1", "::1"] if host_name == "localhost" else [host_name]
    if "::1" in addresses and not _has_ipv6():
        addresses.remove("::1")
    if not addresses:
        raise LoginFailed(
            "redirect_url names [::1], and this machine has no IPv6",
            hint="register http://localhost for the app as well, or sign in without a port: LAKEKEY_INTERACTIVE=paste",
        )
    tried = []
    for port in ports:
        listeners: list[socket.socket] = []
        try:
            for address in addresses:
                listeners.append(listen(address, int(listeners[0].getsockname()[1]) if listeners else port))
        except OSError:
            for listener in listeners:
                listener.close()
            tried.append(port)
            continue
        return listeners
    raise LoginFailed(f"no port is free for the sign-in's answer (tried {_span(tried)})", hint=_who_is_there(tried))


def _span(ports: list[int]) -> str:
    return f"{ports[0]} to {ports[-1]}" if len(ports) > 1 else str(ports[0])


def _who_is_there(ports: list[int]) -> str:
    """Who is in the way, as far as it can be seen, and how to sign in all the same."""
    around = "or sign in without a port: LAKEKEY_INTERACTIVE=paste"
    if holders := holders_of(ports):
        return f"{_span(ports)}: end {' or '.join(holders)}; {around}"
    return f"see who holds them: {listeners(min(ports), max(ports))}; {around}"


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
