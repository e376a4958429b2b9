"""Who is at the browser, by a header that a single-sign-on proxy adds; believed from listed peers only.

The header is worth what the proxy is worth: it must remove the header from what visitors send, and nothing but the
proxy may reach the portal.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from lakekey import _log
from lakekey.errors import ConfigurationError
from lakekey.web.people import User, user_of

#: The bits before an IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2).
_MAPPED = 96
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class UserHeader:
    """Finds the user in a header; for `lakekey.web.Portal`, as its ``user``.

    Args:
        name: The header with the user's name, such as ``X-Forwarded-Email``.
        peers: Addresses and networks of the proxy, such as ``10.0.0.7`` or ``10.1.0.0/16``.
        id_name: The header with what stays the same when a name is given to another person, or ``None``. A request
            without a value in it names no user.

    Raises:
        ConfigurationError: No peer is listed, or one is not an address.
    """

    def __init__(self, name: str, peers: Iterable[str], *, id_name: str | None = None) -> None:
        self._name = name
        self._id_name = id_name
        self._peers = [_network(peer) for peer in ([peers] if isinstance(peers, str) else peers)]
        if not self._peers:
            raise ConfigurationError(
                f"the header {name} identifies the user, but no trusted peer is listed for it",
                hint="list the addresses of the proxy: --trusted-peer 10.0.0.7",
            )
        _refuse_everyone(self._peers)
        advice = "the header %s names the user: the proxy must remove it from what visitors send"
        _log.warning("web", f"{advice}, and nothing else may reach this service", name)

    def __call__(self, request: Any) -> User | None:
        """The user of a request, or ``None``: it comes from another peer, or names none or several."""
        if request.client is None or not self._is_trusted(request.client.host):
            return None
        name = self._one(request, self._name)
        unique = self._one(request, self._id_name) if self._id_name is not None else ""
        if not name or (self._id_name is not None and not unique):
            return None
        try:
            return user_of(User(name, unique or ""))
        except ConfigurationError:
            return None

    def _is_trusted(self, peer: str) -> bool:
        """Whether the connection itself comes from a listed peer; what other headers say of hops counts for nothing."""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._peers)

    def _one(self, request: Any, name: str) -> str | None:
        """The header's one value, in UTF-8; ``None`` if there is none, more than one, or other bytes."""
        values = request.headers.getlist(name)
        # Lists of values in one header are of several senders as well (RFC 9110 §5.3).
        if len(values) != 1 or "," in values[0]:
            if len(values) > 1:
                _log.warning("web", "a request with %d headers %s is refused", len(values), name)
            return None
        # Starlette decodes as ISO 8859-1, whose spaces are the second bytes of letters in UTF-8. Only what surrounds a
        # field's value is taken off (RFC 9110 §5.5).
        value: str = values[0].strip(" \t")
        try:
            return value.encode("latin-1").decode()
        except UnicodeError:
            return None


def _network(peer: str) -> Network:
    try:
        network = ipaddress.ip_network(peer.strip(), strict=False)
    except ValueError:
        raise ConfigurationError(
            f"{peer!r} is not an address or a network", hint="use an address such as 10.0.0.7, or 10.1.0.0/16"
        ) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= _MAPPED:
        network = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED))
    return network


def _refuse_everyone(peers: list[Network]) -> None:
    """Refuse peers that are every address together, such as both halves."""
    fours = ipaddress.collapse_addresses(peer for peer in peers if isinstance(peer, ipaddress.IPv4Network))
    sixes = ipaddress.collapse_addresses(peer for peer in peers if isinstance(peer, ipaddress.IPv6Network))
    together: list[Network] = [*fours, *sixes]
    if every := [str(network) for network in together if not network.prefixlen]:
        raise ConfigurationError(
            f"the trusted peers cover every address ({', '.join(every)}), so any visitor could claim to be any user",
            hint="list the addresses of the proxy: --trusted-peer 10.0.0.7",
        )
