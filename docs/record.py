"""Records a command in a pseudo-terminal as an animated SVG; `make docs-pictures` records the demo for the README.

    python docs/record.py --columns 84 docs/pictures/demo.svg lakekey demo --no-browser

The picture needs no script and loads nothing. A viewer that does not animate shows the last screen. Pauses are cut.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import MappingProxyType

_ESCAPE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_WIDTH, _HEIGHT, _MARGIN = 8.45, 19, 18  # of a character, of a line, around them, in pixels
_STYLES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}
_SHEET = """
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d7dee6;
  white-space: pre; }
.b { font-weight: 700; } .d { fill: #8b98a5; }
.r { fill: #ff8a80; } .g { fill: #5fd394; } .y { fill: #f2c55c; } .c { fill: #6cc7d9; }
"""

Line = list[tuple[str, str]]  # what stands on a line: styles and text


class Screen:
    """A terminal that never scrolls away: for each line, what stood on it from when on."""

    def __init__(self) -> None:
        self.lines: list[list[tuple[float, Line]]] = []
        self._row, self._cells, self._column, self._style = 0, [], 0, ""

    def feed(self, moment: float, text: str) -> None:
        """Show what arrived at a moment."""
        at = 0
        while at < len(text):
            if found := _ESCAPE.match(text, at):
                self._escape(found)
                at = found.end()
                continue
            self._character(moment, text[at])
            at += 1
        self._keep(moment)

    def _character(self, moment: float, character: str) -> None:
        if character == "\n":
            self._keep(moment)
            self._row, self._cells = self._row + 1, []
        elif character == "\r":
            self._column = 0
        else:
            self._cells[self._column : self._column + 1] = [(self._style, character)]
            self._column += 1

    def _escape(self, found: re.Match[str]) -> None:
        if found[2] == "m":
            self._style = " ".join(_STYLES[code] for code in found[1].split(";") if code in _STYLES)
        elif found[2] == "K":
            del self._cells[self._column :]

    def _keep(self, moment: float) -> None:
        while len(self.lines) <= self._row:
            self.lines.append([])
        shown: Line = []
        for style, character in self._cells:
            if shown and shown[-1][0] == style:
                shown[-1] = (style, shown[-1][1] + character)
            else:
                shown.append((style, character))
        states = self.lines[self._row]
        if not states or states[-1][1] != shown:
            states.append((moment, shown))


def record(
    command: list[str],
    columns: int,
    longest: float = 0.6,
    *,
    environ: Mapping[str, str] | None = None,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Screen:
    """Run a command in a terminal of its own, and note what shows when; no pause is longer than that many seconds.

    Args:
        command: The command.
        columns: The terminal's width.
        longest: The longest pause, in seconds.
        environ: The environment; ``None`` for this process's.
        renamed: What is shown under another name, such as a temporary directory.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ and dict(environ)
    )
    os.close(theirs)
    screen, moment, before = Screen(), 0.0, time.monotonic()
    while True:
        select.select([ours], [], [])
        try:
            data = os.read(ours, 65536)
        except OSError:  # EIO: the program has ended
            break
        if not data:
            break
        now = time.monotonic()
        moment += min(now - before, longest)
        before = now
        text = data.decode(errors="replace")
        for name, other in renamed.items():
            text = text.replace(name, other)
        screen.feed(moment, text)
    os.close(ours)
    if status := process.wait():
        raise SystemExit(f"{command} ended with {status}")
    return screen


def svg(screen: Screen, title: str, columns: int, rows: int) -> str:
    """The picture: each state of a line is there from its moment to the next; the window follows the last line."""
    first = min((states[0][0] for states in screen.lines if states), default=0.0)
    shown = [[(moment - first, line) for moment, line in states] for states in screen.lines]
    while shown and not any(line for _, line in shown[-1]):
        shown.pop()
    end = max(moment for states in shown for moment, _ in states) + 0.1
    width, height = columns * _WIDTH + 2 * _MARGIN, rows * _HEIGHT + 2 * _MARGIN
    drawn = [text for row, states in enumerate(shown) for text in _states(row, states)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><title>{escape(title)}</title><style>{_SHEET}</style>'
        f'<rect width="100%" height="100%" rx="10" fill="#12171c"/>'
        f'<svg x="{_MARGIN}" y="{_MARGIN}" width="{columns * _WIDTH:.0f}" height="{rows * _HEIGHT}">'
        f'<g transform="translate(0 {-_HEIGHT * max(0, len(shown) - rows)})">{_scroll(shown, rows, end)}'
        + "\n".join(drawn)
        + "</g></svg></svg>\n"
    )


def _states(row: int, states: list[tuple[float, Line]]) -> list[str]:
    drawn = []
    for number, (moment, line) in enumerate(states):
        if not line:
            continue
        last = number == len(states) - 1
        if last:  # there in the end, and hidden until its moment: a viewer that does not animate shows it
            until, attributes = round(moment, 2), ""
            change = f'<set attributeName="visibility" to="hidden" begin="0s" dur="{until:.2f}s"/>' if until else ""
        else:
            until, attributes = round(states[number + 1][0] - moment, 2), ' visibility="hidden"'
            if not until:  # a length of 0 is none, and it would last for ever
                continue
            change = f'<set attributeName="visibility" to="visible" begin="{moment:.2f}s" dur="{until:.2f}s"/>'
        text = "".join(
            f'<tspan class="{style}">{escape(part)}</tspan>' if style else escape(part) for style, part in line
        )
        place = f'y="{(row + 0.75) * _HEIGHT:.0f}"'
        drawn.append(f'<text {place}{attributes} xml:space="preserve">{change}{text}</text>')
    return drawn


def _scroll(shown: list[list[tuple[float, Line]]], rows: int, end: float) -> str:
    moves = {0.0: 0}
    for row, states in enumerate(shown[rows:], 1):
        moves[states[0][0]] = -_HEIGHT * row
    if len(moves) == 1:
        return ""
    values = ";".join(f"0 {place}" for place in moves.values())
    times = ";".join(f"{moment / end:.4f}" for moment in moves)
    return (
        '<animateTransform attributeName="transform" type="translate" calcMode="discrete" fill="freeze" '
        f'values="{values}" keyTimes="{times}" dur="{end:.2f}s"/>'
    )


def main() -> None:
    """What `make docs-pictures` runs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--columns", type=int, default=84)
    options.add_argument("--rows", type=int, default=26, help="the height of the window")
    options.add_argument("picture", type=Path, help="where the SVG is written")
    options.add_argument("command", nargs=argparse.REMAINDER)
    chosen = options.parse_args()
    screen = record(chosen.command, chosen.columns)
    title = f"A recording of: {' '.join([Path(chosen.command[0]).name, *chosen.command[1:]])}"
    chosen.picture.write_text(svg(screen, title, chosen.columns, chosen.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
