"""JSON of others, read within bounds: its size, its depth, and nothing but our caller's ``ValueError``."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 1 << 20  # characters or bytes
DEEPEST = 64  # lists and objects within one another


def loads(text: str | bytes, *, longest: int = LONGEST) -> Any:
    """Read a JSON text (RFC 8259).

    The library goes as deep as the interpreter's stack, and what comes of it could then not be shown or compared.

    Args:
        text: The text.
        longest: Characters or bytes that it may have; 1 MiB unless told.

    Raises:
        ValueError: It is not JSON, too long, or more than 64 lists and objects deep.
    """
    if len(text) > longest:
        raise ValueError("the JSON text is too long")
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError("the JSON text is too deep")
    return json.loads(text)


def _depth(text: str) -> int:
    depth = deepest = 0
    # Without its strings. Possessive, so that a string that does not end is looked at once.
    bare = re.sub(r'(?s)"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', "", text)
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
