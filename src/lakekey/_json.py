"""JSON of others, read within bounds: its size, its depth, and nothing but our caller's ``ValueError``."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 1 << 20  # characters or bytes
DEEPEST = 64  # lists and objects within one another
_NO_VALUE = re.compile(r"[ \t\r\n]*+")
_DIGITS = 400  # of a whole number; what has more is infinite


def loads(text: str | bytes, *, longest: int = LONGEST, lenient: bool = False) -> Any:
    """Read a JSON text (RFC 8259).

    The library goes as deep as the interpreter's stack, and what comes of it could then not be shown or compared.

    Args:
        text: The text.
        longest: Characters or bytes that it may have; 1 MiB unless told.
        lenient: Put up with what spoils nothing but its own place: bytes that are not of the encoding, control
            characters in strings, numbers of thousands of digits, comments of HTML before the value, and whatever
            follows it.

    Raises:
        ValueError: It is not JSON, too long, or more than 64 lists and objects deep.
    """
    if len(text) > longest:
        raise ValueError("the JSON text is too long")
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogateescape" if lenient else "strict")
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError("the JSON text is too deep")
    if lenient:
        return json.JSONDecoder(parse_int=_number, strict=False).raw_decode(text, _start(text))[0]
    return json.loads(text)


def _start(text: str) -> int:
    """Where the value begins, behind what a gateway has put before it."""
    at = _NO_VALUE.match(text).end()  # type: ignore[union-attr]  # it matches nothing as well
    while text.startswith("<!--", at) and (end := text.find("-->", at)) >= 0:
        at = _NO_VALUE.match(text, end + 3).end()  # type: ignore[union-attr]
    return at


def _number(digits: str) -> float:
    return int(digits) if len(digits) < _DIGITS else float(digits)  # the second is not square in their count


def _depth(text: str) -> int:
    depth = deepest = 0
    # Without its strings. Possessive, so that a string that does not end is looked at once.
    bare = re.sub(r'(?s)"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', "", text)
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
