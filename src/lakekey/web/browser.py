"""The cookie that ties a sign-in to a browser, and the form tokens that are bound to it.

The value is random and says nothing: rows of sign-ins keep its digest (ASVS 5.0, 10.1.2). It outlives a sign-in and
serves all tabs of the browser.
"""

import hashlib
import hmac
import re
import secrets
import time
from typing import NamedTuple

#: The cookie's name. Browsers take it only with ``Secure``, ``Path=/`` and no ``Domain`` (RFC 6265bis §4.1.3.2), so no
#: other site of the same domain, and nothing in clear, can plant one; newer ones only from HTTP, so no script can.
COOKIE = "__Host-Http-lakekey"
#: Its name for Safari on loopback, which takes no ``Secure`` cookie over ``http``.
LOOPBACK_COOKIE = "lakekey-browser"
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_HOUR = 3600
_HOURS = 12


class Cookie(NamedTuple):
    """The cookie to set, in the words of most frameworks.

    Attributes:
        key: Its name.
        value: Its value, a secret of the browser and this service.
        secure, httponly, samesite, path: Its attributes. ``Strict`` would not be sent when the authorization server
            sends the browser back.
    """

    key: str
    value: str
    secure: bool = True
    httponly: bool = True
    samesite: str = "lax"
    path: str = "/"

    def __repr__(self) -> str:
        return f"Cookie({self.key})"


def new_value() -> str:
    """A value with 256 random bits."""
    return secrets.token_urlsafe(32)


def is_value(given: str | None) -> bool:
    """Whether a cookie's value is of the form that we set."""
    return given is not None and _VALUE.fullmatch(given) is not None


def digest(value: str) -> str:
    """What rows keep of the value."""
    return hashlib.sha256(f"lakekey browser\0{value}".encode()).hexdigest()


def form_token(value: str, user: str, *, now: float | None = None) -> str:
    """The token for the forms of a page: for one browser, one user, and about twelve hours.

    Args:
        value: The browser's cookie.
        user: The user's name.
        now: Seconds since the epoch; ``None`` for the clock's.
    """
    hour = int((time.time() if now is None else now) // _HOUR)
    return f"{hour:x}.{_mac(value, user, hour)}"


def is_form_token(token: str, value: str, user: str, *, now: float | None = None) -> bool:
    """Whether a form's token is of this browser and user, and not too old."""
    stamp, _, mac = token.partition(".")
    if not re.fullmatch(r"[0-9a-f]{1,12}", stamp):
        return False
    hour, current = int(stamp, 16), int((time.time() if now is None else now) // _HOUR)
    fits = hmac.compare_digest(mac.encode(), _mac(value, user, hour).encode())
    return fits and current - _HOURS <= hour <= current + 1


def _mac(value: str, user: str, hour: int) -> str:
    return hmac.digest(value.encode(), f"lakekey form\0{user}\0{hour}".encode(), "sha256").hex()
