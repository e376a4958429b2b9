"""Looking into a JWT (RFC 7519) without trusting it: whose it is, for the cache's key and for messages."""

import base64
from collections.abc import Mapping
from typing import Any

from lakekey import _json
from lakekey.errors import ConfigurationError

_NO_DATE = 1 << 34  # seconds: the year 2514, well before the last that `datetime` knows in every time zone


def claims(token: str, *, unsigned: bool = False) -> dict[str, Any] | None:
    """The claims that a token makes, unchecked; ``None`` if it is not a JWT.

    Args:
        token: What may be one.
        unsigned: Whether one without a signature is read, too (RFC 7519 §6), so that its claims can be refused.
    """
    parts = token.split(".")
    if len(parts) != 3 or not all(parts[:2] if unsigned else parts):
        return None
    try:
        found = _json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def ends_at(found: Mapping[str, Any]) -> float | None:
    """When a token with these claims expires (RFC 7519 §4.1.4), in epoch seconds; ``None`` if they name no date.

    Args:
        found: The claims. Any of JSON's values may stand there, and any number.
    """
    end = found.get("exp")
    if isinstance(end, int | float) and not isinstance(end, bool) and end < _NO_DATE:
        return float(max(1, end))  # Windows knows no time before the epoch, and a caller may take 0 for no end
    return None


def checked(token: str, place: str) -> str:
    """A token that is one, without the white space around it.

    Args:
        token: What was found.
        place: Where, for the error.

    Raises:
        ConfigurationError: It is empty, or no JWT. It is not quoted.
    """
    text = token.strip()
    if claims(text) is None or not text.isascii():  # the signature, too, is sent on
        what = "is empty" if not text else "holds no JWT"
        raise ConfigurationError(f"{place} {what}", hint="put the identity provider's token there")
    return text


def subject(token: str) -> str:
    """Issuer and subject of a token (RFC 7519 §4.1.1 and §4.1.2)."""
    found = claims(token) or {}
    said = f"{found.get('sub', '')} at {found.get('iss', '')}"
    return said.encode(errors="backslashreplace").decode()  # an escape of JSON may name half a character


def description(token: str) -> str:
    """What a federation policy is matched against, in words; nothing of it is secret."""
    found = claims(token) or {}
    return ", ".join(f"{name} {found[name]!r}" for name in ("iss", "sub", "aud") if name in found)
