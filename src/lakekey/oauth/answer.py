"""An HTTP answer of an authorization server, read whole."""

import contextlib
import math
import time
from typing import Any, NamedTuple

from lakekey import _json
from lakekey._imports import LOADING


class Answer(NamedTuple):
    """An HTTP answer whose body was read whole.

    Attributes:
        status: The HTTP status.
        content_type: The media type, in lower case, without parameters.
        body: The body, at most `lakekey.oauth.transport.MAX_BODY` bytes.
        retry_after: Seconds that the server asked to wait (RFC 9110 §10.2.3), or ``None``.
        location: Where a redirect would lead, or ``None``; none is followed.
        date: The server's clock as it told it (RFC 9110 §6.6.1), or ``None``.
    """

    status: int
    content_type: str
    body: bytes
    retry_after: float | None
    location: str | None = None
    date: str | None = None

    def __repr__(self) -> str:
        return f"Answer({self.describe()})"

    def json_object(self) -> dict[str, Any] | None:
        """The body as a JSON object, or ``None`` if it is anything else.

        The media type does not matter: servers and gateways label JSON as text, or not at all, and an answer that is
        thrown away for its label may hold the successor of a refresh token that is spent. Nor does a flaw beside it.
        """
        try:
            value = _json.loads(self.body, lenient=True)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def says_json(self) -> bool:
        """Whether the answer is labelled as JSON."""
        return self.content_type == "application/json" or self.content_type.endswith("+json")

    def describe(self) -> str:
        """What came, for a message: status and kind, never the content."""
        return f"HTTP {self.status} with {self.content_type or 'no content type'} ({len(self.body)} bytes)"


def retry_after(value: str | None) -> float | None:
    """The seconds that a ``Retry-After`` header asks to wait (RFC 9110 §10.2.3): a number, or a date."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    with LOADING:
        from email.utils import parsedate_to_datetime

    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None
