"""Cutting secrets out of what a server says, in whatever encoding it repeats them.

A server may echo a request as it was sent: form-encoded, in JSON, as HTTP Basic in base64, or only a part of it. So the
text is not searched for the secret alone: it is decoded (percent, JSON and HTML escapes, each also within another), and
every run of characters that it has in common with the secret, or with its base64 or hexadecimal form, is cut out.
"""

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

_LONGEST_TEXT = 16384  # characters of a server that are looked at; the rest is not shown
_RUN = 8  # characters in common that give a secret away; a shorter secret only as a whole
_LEAST = 3  # characters of base64 that tell something of a secret: fewer stand in every text
_NESTED = 3  # encodings within encodings
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")  # the second is what some platforms have before they make base64 of it
_CUT = "[redacted]"
# One escape of each encoding. None repeats without a bound, so it takes linear time.
_ESCAPE = re.compile(
    r"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})"
    r"|%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|&#[Xx]0{0,9}([0-9A-Fa-f]{1,6});|&#0{0,9}([0-9]{1,7});"
    r"|&(amp|lt|gt|quot|apos);|\\(.)",
    re.DOTALL,
)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class _Piece(NamedTuple):
    """A byte of the decoded text, as a character, and where it stands in the text as it came."""

    byte: str
    start: int
    end: int


def redacted(text: str, secrets: Iterable[str | None]) -> str:
    """A text without the secrets, in any encoding that HTTP, JSON or HTML give them.

    Args:
        text: What a server says.
        secrets: What must not be shown; ``None`` and empty ones are passed over.

    Returns:
        The text, at most 16,384 characters of it.
    """
    text = text[:_LONGEST_TEXT]
    if not text:
        return text
    marks = [mark for secret in secrets if secret for mark in _forms(secret)]
    if not marks:
        return text
    pieces = [_Piece(byte, at, at + 1) for at, character in enumerate(text) for byte in _bytes_of(character)]
    found = _found(pieces, marks)
    for _ in range(_NESTED):
        decoded = _decoded(pieces)
        if len(decoded) == len(pieces):
            break
        pieces = decoded
        found |= _found(pieces, marks)
    return _without(text, found)


def _forms(secret: str) -> Iterable[str]:
    """The secret's bytes, each as a character, and what base64 and hexadecimal make of them wherever they stand."""
    for encoding in _ENCODINGS:
        yield from _forms_of(secret.encode(encoding, "surrogatepass"))


def _forms_of(raw: bytes) -> Iterable[str]:
    yield raw.decode("latin-1")
    yield raw.hex()
    for before in range(3):  # base64 turns three bytes into four characters, so their place among others matters
        coded = base64.b64encode(b"\0" * before + raw).decode()
        first = (0, 2, 3)[before]  # characters that hold bits of what stands before
        whole = (before + len(raw)) // 3 * 4  # beyond it, a character holds bits of what stands behind
        if whole - first >= _LEAST:
            yield coded[first:whole]


def _found(pieces: list[_Piece], marks: list[str]) -> set[int]:
    """Places of the text that have a run in common with one of the marks."""
    text = _comparable("".join(piece.byte for piece in pieces))
    found: set[int] = set()
    runs: dict[int, set[str]] = {}
    for mark in marks:
        length = min(_RUN, len(mark))
        if length:
            comparable = _comparable(mark)
            runs.setdefault(length, set()).update(
                comparable[at : at + length] for at in range(len(comparable) - length + 1)
            )
    for length, known in runs.items():
        for at in range(len(text) - length + 1):
            if text[at : at + length] in known:
                found.update(range(pieces[at].start, pieces[at + length - 1].end))
    return found


def _comparable(text: str) -> str:
    # Both alphabets of base64 as one (RFC 4648 §5), hexadecimal in either case, and the blank of a form.
    return text.lower().replace("-", "+").replace("_", "/").replace(" ", "+")


def _decoded(pieces: list[_Piece]) -> list[_Piece]:
    text = "".join(piece.byte for piece in pieces)
    decoded: list[_Piece] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        decoded += pieces[at : match.start()]
        start, end = pieces[match.start()].start, pieces[match.end() - 1].end
        decoded += [_Piece(byte, start, end) for byte in _meaning(match)]
        at = match.end()
    return decoded + pieces[at:]


def _meaning(match: re.Match[str]) -> str:
    high, low, percent, unicode, byte, hexadecimal, decimal, named, escaped = match.groups()
    if high:  # a character in two halves (RFC 8259 §7)
        return _bytes_of(chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00))
    if percent or byte:
        return chr(int(percent or byte, 16))
    if unicode or hexadecimal or decimal:
        number = int(decimal) if decimal else int(unicode or hexadecimal, 16)
        return _bytes_of(chr(number)) if number < 0x110000 else "?"
    return _NAMED[named] if named else _CONTROLS.get(escaped, escaped)


def _bytes_of(character: str) -> str:
    return character.encode("utf-8", "surrogatepass").decode("latin-1")


def _without(text: str, found: set[int]) -> str:
    shown = []
    for at, character in enumerate(text):
        if at not in found:
            shown.append(character)
        elif at - 1 not in found:
            shown.append(_CUT)
    return "".join(shown)
