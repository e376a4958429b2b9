"""The proxy that the environment names, checked before the libraries use it."""

import os
import sys
from urllib.parse import urlsplit

from lakekey._imports import LOADING, libraries
from lakekey.errors import ConfigurationError

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def proxies_on_the_way(url: str) -> dict[str, str]:
    """The proxies that the environment names for an address, by scheme; none where it is an exception of theirs.

    None for ``http`` either, which goes to loopback alone: through a proxy, credentials would leave in clear.
    """
    if url[:5].lower() == "http:":
        return {}
    if sys.platform == "linux" and not any(name[-6:].lower() == b"_proxy" for name in os.environb):
        return {}  # the library would look through it three times; on macOS and Windows the system has some, too
    with libraries():
        from requests.utils import get_environ_proxies

    return get_environ_proxies(url)


def proxy_to(url: str, proxies: dict[str, str] | None = None) -> str | None:
    """The proxy on the way to an address, as ``name:port``, without credentials; ``None`` if there is none.

    Args:
        url: The address.
        proxies: What `proxies_on_the_way` found; ``None`` to look.

    Raises:
        ConfigurationError: Its address cannot be read. The libraries' own errors would quote the beginning of a
            password that was not percent-encoded.
    """
    with libraries():
        from requests.utils import select_proxy

    address = select_proxy(url, proxies_on_the_way(url) if proxies is None else proxies)
    return _host_and_port(address) if address else None


def _host_and_port(address: str) -> str:
    scheme, separator, rest = address.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port
        # An @ behind the name ends a password with a / or # in it; the libraries read none without a scheme.
        readable = name and "@" not in rest.removeprefix(parts.netloc) and (separator or "@" not in rest)
        with LOADING:
            (name or "").encode("idna")
    except ValueError:  # a port that is not a number, a bracket that is not closed, a label that is empty or too long
        readable = False
    if not readable or (separator and scheme.lower() not in _SCHEMES):
        raise ConfigurationError(
            "the address of the proxy (HTTPS_PROXY) cannot be read",
            hint="write it as http://name:port, with special characters of a password percent-encoded",
        )
    return f"{name}:{port}" if port else str(name)
