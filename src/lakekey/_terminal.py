"""How a terminal is written to: by rich, for its widths, tables, colours and links.

Its markup, its highlighting and its names of emoji are off, since most of what is shown comes from elsewhere. A pipe
or a file gets the same words, unpainted and unfolded, and without rich, but for its widths of letters beyond ASCII.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 100_000  # columns: what is too wide for the terminal is folded, or a block, and never cut
_HIGH = 25  # lines, which nothing here depends on


def is_terminal(stream: Any) -> bool:
    """Whether a stream leads to a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # none at all, or closed
        return False


def shows_escapes(stream: Any) -> bool:
    """Whether a stream is a terminal that shows colours and links, and the person wants them (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and takes_escapes(stream)


def takes_escapes(stream: Any) -> bool:
    """Whether a stream is a terminal with a line that can be written over, and with colours."""
    if not is_terminal(stream):
        return False
    if os.name == "nt":
        with libraries():
            from rich.console import detect_legacy_windows

        return not detect_legacy_windows()
    return os.environ.get("TERM", "") not in ("", "dumb")


def width(stream: Any) -> int | None:
    """The columns of the terminal behind a stream; ``None``: it is not a terminal, so lines may have any length."""
    if not is_terminal(stream):
        return None
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def columns(text: str) -> int:
    """How many columns a text takes: letters of East Asia and emoji take two, marks above others none."""
    if text.isascii():
        return len(text)
    with libraries():
        from rich.cells import cell_len

    return cell_len(text)


def painted(text: str, style: str, stream: Any) -> str:
    """A text in a style of rich's, such as ``red`` or ``dim``, where the stream shows it."""
    if not text or not shows_escapes(stream):
        return text
    with libraries():
        from rich.text import Text

    return _rendered(_console(stream), Text(text, style))


def link(address: str, stream: Any) -> str:
    """An address that a terminal opens with a click, also where it is broken into several lines (OSC 8)."""
    if not shows_escapes(stream):
        return address
    with libraries():
        from rich.style import Style
        from rich.text import Text

    return _rendered(_console(stream), Text(address, Style(link=address)))


def folded(text: str, stream: Any, indent: int = 0, words: Sequence[str] | None = None) -> list[str]:
    """The lines of a text beside an indent; never broken inside a word, which may be an address to be copied.

    Args:
        text: What is shown.
        stream: Where; anything but a terminal gets one line.
        indent: The columns that are taken already.
        words: What is not broken, with a blank between; ``None`` for what stands between its blanks.
    """
    room = width(stream)
    if room is None or indent + columns(text) <= room:
        return [text]
    lines = [""]  # rich breaks, or cuts, a word that is too long
    for word in text.split(" ") if words is None else words:
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and indent + columns(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def table(header: Sequence[str], rows: Iterable[Sequence[tuple[str, str]]], stream: Any) -> list[str] | None:
    """The lines of a table with a header line.

    Args:
        header: The names of its columns.
        rows: The cells, each a text and its style.
        stream: Where it is to be shown.

    Returns:
        The lines; ``None`` if the terminal is too narrow for them.
    """
    room = width(stream)
    if room is None:  # loading rich takes as long as half of the rest of `lakekey status`
        return _plain(header, [[text for text, _ in row] for row in rows])
    with libraries():
        from rich.table import Table
        from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none")
    for name in header:
        made.add_column(Text(name, "dim"), no_wrap=True)
    for row in rows:
        made.add_row(*(Text(text, style) for text, style in row))
    console = _console(stream)
    if console.measure(made).maximum > room:
        return None
    return [line.rstrip() for line in _rendered(console, made).splitlines()]


def _plain(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    sizes = [max(columns(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(f"{cell}{'':<{size - columns(cell)}}" for cell, size in zip(row, sizes, strict=True)).rstrip()
        for row in (header, *rows)
    ]


def _console(stream: Any) -> "Console":
    with libraries():
        from rich.console import Console

    return Console(
        file=stream,
        width=_WIDE,
        height=_HIGH,  # without it, rich takes a terminal without escapes for one of 80 columns
        force_terminal=is_terminal(stream),
        force_jupyter=False,
        color_system="standard" if shows_escapes(stream) else None,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _rendered(console: "Console", what: "RenderableType") -> str:
    """What rich would write. Writing it is ours, where a closed or full output and an encoding are seen to."""
    with console.capture() as written:
        console.print(what, end="", soft_wrap=False)
    return written.get()
