"""Whether a browser on the portal's own machine has come to it under another name than its address has."""

from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK

PORTS = {"http": 80, "https": 443}


def other_address(url: str, host: str) -> str | None:
    """The address that a browser uses for a portal whose sign-ins come back to another one, with other cookies.

    It is told on loopback only, by the portal's own port: behind a proxy, ``Host`` may be anything.

    Args:
        url: The portal's own address.
        host: The request's ``Host``.
    """
    own = urlsplit(url)
    try:
        asked = urlsplit(f"//{host}")
        is_its_port = (asked.port or PORTS[own.scheme]) == (own.port or PORTS[own.scheme])
    except ValueError:
        return None
    names = (own.hostname, asked.hostname)
    if not is_its_port or names[0] == names[1] or not set(names) <= set(LOOPBACK):
        return None
    return f"{own.scheme}://{asked.netloc}"
