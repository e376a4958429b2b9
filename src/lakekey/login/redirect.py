"""The redirect address that is registered for the app (RFC 8252 §7.3); `lakekey.login.ports` has the ports in it."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK, in_address
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError
from lakekey.login.ports import FIRST, default_ports, ports_of


class Redirect(NamedTuple):
    """Where the answer to a sign-in may come to.

    Attributes:
        host_name: ``localhost``, ``127.0.0.1`` or ``::1``, as registered.
        ports: Ports to try in order; `lakekey.login.ports.ANY_PORT` for whichever is free.
        path: The path, as registered.
        fixed: The whole address if it is not on this machine, and the answer can only be pasted; else ``None``.
    """

    host_name: str
    ports: Sequence[int]
    path: str
    fixed: str | None = None

    @property
    def address(self) -> str:
        """The address to name where nothing listens: with the first port."""
        return self.fixed or f"http://{in_address(self.host_name)}:{self.ports[0] or FIRST}{self.path}"


def redirect_of(target: Target) -> Redirect:
    """The redirect address of a target, from ``redirect_url``, ``redirect_port`` and ``redirect_ports``.

    Raises:
        ConfigurationError: No answer can come to it.
    """
    ports: Sequence[int] = default_ports(target.client_id)
    host_name, path, port = "localhost", "", None
    if target.redirect_url:
        try:
            parts = urlsplit(target.redirect_url)
            port = parts.port
        except ValueError:
            parts = urlsplit("")  # the error shows what may be a password: ours must not hang on it
        if parts.query or parts.fragment or parts.username or not parts.hostname:
            raise _invalid("redirect_url", target.redirect_url, target)
        if parts.scheme == "https":
            return Redirect(parts.hostname, [port or 443], parts.path, fixed=target.redirect_url)
        # RFC 8252 §8.3: nothing but the loopback interface may receive the code in clear.
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise _invalid("redirect_url", target.redirect_url, target)
        host_name, path = parts.hostname, parts.path
    if target.redirect_port is not None:
        ports = [target.redirect_port]
    elif target.redirect_ports:
        listed = ports_of(str(target.redirect_ports))
        if not listed:
            raise _invalid("redirect_ports", target.redirect_ports, target)
        ports = listed
    elif port is not None:
        ports = [port]
    return Redirect(host_name, ports, path)


def _invalid(setting: str, value: str, target: Target) -> ConfigurationError:
    if setting == "redirect_url":
        what = "an address that a sign-in can come back to"
        hint = "use http://localhost:PORT/…, as registered for the app"
    else:
        what, hint = "a list of ports", "use a list such as 8020-8024, or any"
    shown = setting if "@" in value else f"{setting} {value!r}"  # an address may hold a password
    return ConfigurationError(f"{shown} is not {what}", hint=hint, profile=target.name)
