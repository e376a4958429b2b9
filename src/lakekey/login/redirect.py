"""The redirect address that is registered for the app, and the ports that may stand in it (RFC 8252 §7.3)."""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK, in_address
from lakekey.configuration.target import DEFAULT_CLIENT, Target
from lakekey.errors import ConfigurationError

ANY_PORT = 0
# The ports that the platform registered for its built-in public clients.
_BUILT_IN = {DEFAULT_CLIENT: range(8020, 8041), "databricks-sql-python": range(8020, 8025)}


class Redirect(NamedTuple):
    """Where the answer to a sign-in may come to.

    Attributes:
        host_name: ``localhost``, ``127.0.0.1`` or ``::1``, as registered.
        ports: Ports to try in order; `ANY_PORT` for whichever is free.
        path: The path, as registered.
        fixed: The whole address where it is none of this machine, and the answer can only be pasted; else ``None``.
    """

    host_name: str
    ports: Sequence[int]
    path: str
    fixed: str | None = None

    @property
    def address(self) -> str:
        """The address to name where nothing listens: with the first port."""
        return self.fixed or f"http://{in_address(self.host_name)}:{self.ports[0] or 8020}{self.path}"


def is_built_in(client_id: str) -> bool:
    """Whether the platform itself registered a client."""
    return client_id in _BUILT_IN


def redirect_of(target: Target) -> Redirect:
    """The redirect address of a target, from ``redirect_url``, ``redirect_port`` and ``redirect_ports``.

    Raises:
        ConfigurationError: It is none that an answer can come to.
    """
    ports: Sequence[int] = _BUILT_IN.get(target.client_id, range(8020, 8041))
    host_name, path, port = "localhost", "", None
    if target.redirect_url:
        try:
            parts = urlsplit(target.redirect_url)
            port = parts.port
        except ValueError:
            raise _wrong("redirect_url", target.redirect_url, target) from None
        if parts.query or parts.fragment or parts.username or not parts.hostname:
            raise _wrong("redirect_url", target.redirect_url, target)
        if parts.scheme == "https":
            return Redirect(parts.hostname, [port or 443], parts.path, fixed=target.redirect_url)
        # RFC 8252 §8.3: nothing but the loopback interface may receive the code in clear.
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise _wrong("redirect_url", target.redirect_url, target)
        host_name, path = parts.hostname, parts.path
    if target.redirect_port is not None:
        ports = [target.redirect_port]
    elif target.redirect_ports:
        ports = _ports(str(target.redirect_ports), target)
    elif port is not None:
        ports = [port]
    return Redirect(host_name, ports, path)


def _ports(text: str, target: Target) -> list[int]:
    """Ports from ``any`` or a list such as ``8020-8024, 8030``."""
    if text.strip().lower() == "any":
        return [ANY_PORT]
    ports: list[int] = []
    for part in text.replace(",", " ").split():
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        if match is None:
            raise _wrong("redirect_ports", text, target)
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535 or last - first > 1000:
            raise _wrong("redirect_ports", text, target)
        ports += range(first, last + 1)
    if not ports:
        raise _wrong("redirect_ports", text, target)
    return ports


def _wrong(setting: str, value: str, target: Target) -> ConfigurationError:
    hint = (
        "use http://localhost:PORT/…, as registered for the app"
        if setting == "redirect_url"
        else "use a list such as 8020-8024, or any"
    )
    shown = setting if "@" in value else f"{setting} {value!r}"  # an address may hold a password
    return ConfigurationError(f"{shown} is none that a sign-in can come back to", hint=hint, profile=target.name)
