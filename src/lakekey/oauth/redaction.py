"""Cutting secrets out of what a server says, in the encodings that HTTP, JSON and HTML repeat them in.

A server may echo a request as it was sent: form-encoded, in JSON, as HTTP Basic in base64, or only a part of it. So the
text is not searched for the secret alone: it is decoded (percent, JSON, HTML and octal escapes, quoted-printable, each
also within another), and every run of characters that it has in common with the secret, with its base64 or hexadecimal
form, or with such a form of these, is cut out. This ends at encodings nested more than three deep, and at other ones:
base32, numbers in a list, or characters put between.
"""

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

from lakekey._imports import LOADING

_LONGEST_TEXT = 16384  # characters of a server that are looked at; the rest is not shown
_LONGEST_SECRET = 8192  # characters; beside a longer one, which takes too long to look for, no text is shown
_RUN = 8  # characters in common that give a secret away; a shorter secret only as a whole
_LEAST = 3  # characters of base64 that tell something of a secret: fewer stand in every text
_NESTED = 3  # encodings within encodings
_FEW = 64  # runs of a text that are sooner looked for in a secret's form than all runs of the form among them
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")  # the second is what some platforms have before they make base64 of it
_CUT = "[redacted]"
_URL_SAFE = {ord("+"): "-", ord("/"): "_"}  # RFC 4648 §5
# One escape of each encoding. None repeats without a bound, so it takes linear time.
_ESCAPE = re.compile(
    r"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})"
    r"|%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\u\{([0-9A-Fa-f]{1,6})\}|\\U00([0-9A-Fa-f]{6})|\\x([0-9A-Fa-f]{2})"
    r"|&#[Xx]0{0,9}([0-9A-Fa-f]{1,6});?|&#0{0,9}([0-9]{1,7});?|&([A-Za-z][A-Za-z0-9]{1,31};)|\\([0-3][0-7]{2})"
    r"|\\(.)",
    re.DOTALL,
)
# RFC 2045 §6.7: a byte, or a line that goes on.
_QUOTED_PRINTABLE = re.compile(r"=([0-9A-Fa-f]{2})|=\r?\n")
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
    hidden = {secret for secret in secrets if secret}
    if not text or not hidden:
        return text
    if max(map(len, hidden)) > _LONGEST_SECRET:
        return _CUT
    # Mostly nothing is to be cut out. That is seen without a place for each byte, which takes far longer.
    readings = [_comparable(reading) for reading in _readings(text)]
    known = _runs(hidden, {run for reading in readings for run in _windows(reading)})
    if not any(run in reading for runs in known.values() for run in runs for reading in readings):
        return text
    found: set[int] = set()
    for view in _views(text):
        found |= _found(view, known)
    return _without(text, found)


def _readings(text: str) -> Iterable[str]:
    """What the views of a text say, each once."""
    plain = _bytes_of(text)
    readings: dict[str, None] = {}
    for outermost in (plain, _read(plain, _QUOTED_PRINTABLE)):
        reading = outermost
        for _ in range(_NESTED + 1):
            readings[reading] = readings[_read(reading, _QUOTED_PRINTABLE)] = None
            reading = _read(reading, _ESCAPE)
    return readings


def _views(text: str) -> Iterable[list[_Piece]]:
    """The text as it came, and as it is when it is decoded, once and more often."""
    plain = [_Piece(byte, at, at + 1) for at, character in enumerate(text) for byte in _bytes_of(character)]
    # Whether "=41" is a character or the value of a parameter, nothing tells: both are looked at.
    for outermost in (plain, _decoded(plain, _QUOTED_PRINTABLE)):
        pieces = outermost
        for _ in range(_NESTED + 1):
            yield pieces
            yield _decoded(pieces, _QUOTED_PRINTABLE)
            decoded = _decoded(pieces, _ESCAPE)
            if decoded == pieces:  # by their length alone, a name that grows would make up for an escape that shrinks
                break
            pieces = decoded


def _forms(secret: str) -> Iterable[str]:
    """The secret's bytes, each as a character, and what base64 and hexadecimal make of them wherever they stand."""
    for encoding in _ENCODINGS:
        raw = secret.encode(encoding, "surrogatepass")
        yield raw.decode("latin-1")
        for once in _hexadecimal_and_base64(raw):
            yield once
            if len(once) < _RUN:  # of less, nothing is given away
                continue
            for form in {once, once.upper() if once == raw.hex() else once.translate(_URL_SAFE)}:
                yield from _hexadecimal_and_base64(form.encode())


def _hexadecimal_and_base64(raw: bytes) -> Iterable[str]:
    yield raw.hex()
    for before in range(3):  # base64 turns three bytes into four characters, so their place among others matters
        coded = base64.b64encode(b"\0" * before + raw).decode()
        first = (0, 2, 3)[before]  # characters that hold bits of what stands before
        whole = (before + len(raw)) // 3 * 4  # beyond it, a character holds bits of what stands behind
        if whole - first >= _LEAST:
            yield coded[first:whole]


def _runs(secrets: Iterable[str], shown: set[str]) -> dict[int, set[str]]:
    """The runs that give a secret away, by their length. Of the usual length, only those that the text has as well.

    A token's forms have several hundred times as many runs as the token has characters: none of them is kept.

    Args:
        secrets: What must not be shown.
        shown: Each run of the usual length that the text has.
    """
    known: dict[int, set[str]] = {_RUN: set()}
    for secret in secrets:
        for form in filter(None, _forms(secret)):
            if len(form) < _RUN:
                known.setdefault(len(form), set()).add(_comparable(form))
            elif shown:
                known[_RUN] |= _common(shown, _comparable(form))
    return known


def _common(shown: set[str], form: str) -> set[str]:
    """The runs that a text and a form have in common; in linear time, as a run has so many characters and no more."""
    if len(shown) <= _FEW:
        return {run for run in shown if run in form}
    return shown.intersection(_windows(form))


def _windows(text: str) -> Iterable[str]:
    """Each run of the usual length."""
    return (text[at : at + _RUN] for at in range(len(text) - _RUN + 1))


def _found(pieces: list[_Piece], runs: dict[int, set[str]]) -> set[int]:
    """Places of the text that have one of the runs."""
    text = _comparable_text(pieces)
    found: set[int] = set()
    for length, known in runs.items():
        for at in range(len(text) - length + 1) if known else ():
            if text[at : at + length] in known:
                found.update(range(pieces[at].start, pieces[at + length - 1].end))
    return found


def _comparable_text(pieces: list[_Piece]) -> str:
    return _comparable("".join(piece.byte for piece in pieces))


def _comparable(text: str) -> str:
    # Both alphabets of base64 as one (RFC 4648 §5), hexadecimal in either case, and the blank of a form.
    return text.lower().replace("-", "+").replace("_", "/").replace(" ", "+")


def _decoded(pieces: list[_Piece], escapes: re.Pattern[str]) -> list[_Piece]:
    text = "".join(piece.byte for piece in pieces)
    decoded: list[_Piece] = []
    at = 0
    for match in escapes.finditer(text):
        decoded += pieces[at : match.start()]
        start, end = pieces[match.start()].start, pieces[match.end() - 1].end
        decoded += [_Piece(byte, start, end) for byte in _meaning(match)]
        at = match.end()
    return decoded + pieces[at:]


def _read(text: str, escapes: re.Pattern[str]) -> str:
    """What `_decoded` says, without the places."""
    return escapes.sub(_meaning, text)


def _meaning(match: re.Match[str]) -> str:
    if match.re is _ESCAPE:
        return _meaning_of_an_escape(match)
    return chr(int(match[1], 16)) if match[1] else ""


def _meaning_of_an_escape(match: re.Match[str]) -> str:
    high, low, percent, unicode, braced, long, byte, hexadecimal, decimal, named, octal, escaped = match.groups()
    if high:  # a character in two halves (RFC 8259 §7)
        return _bytes_of(chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00))
    if percent or byte:
        return chr(int(percent or byte, 16))
    if octal:
        return chr(int(octal, 8))
    code = unicode or braced or long or hexadecimal
    if code or decimal:
        number = int(decimal) if decimal else int(code, 16)
        return _bytes_of(chr(number)) if number < 0x110000 else "?"
    if named:
        return "".join(map(_bytes_of, _names().get(named, f"&{named}")))
    return _CONTROLS.get(escaped, escaped)


def _names() -> dict[str, str]:
    """The named characters of HTML."""
    with LOADING:
        from html.entities import html5

    return html5


def _bytes_of(text: str) -> str:
    """Its bytes, each as a character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _without(text: str, found: set[int]) -> str:
    shown = []
    for at, character in enumerate(text):
        if at not in found:
            shown.append(character)
        elif at - 1 not in found:
            shown.append(_CUT)
    return "".join(shown)
