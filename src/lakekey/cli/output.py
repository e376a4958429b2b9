"""Printing facts: as JSON for programs, as an aligned table for people."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lakekey.cli import signals
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired

# What the commands begin with that our next steps name, and the words that may stand before one.
_PROGRAMS = {
    *("lakekey", "pip", "ls", "df", "mv", "rm", "mkdir", "chmod", "chown", "sudo", "namei", "lsof", "systemctl"),
    *("icacls", "takeown", "dir", "del", "move", "md", "powershell", "ss", "umask", "export", "gcloud", "aws", "az"),
}
_BEFORE = ("or", "and", "then", "run")

# `lakekey.cli.style` is imported where something is shown to a person: `lakekey token` prints a word.


def print_json(facts: Any) -> None:
    """One JSON document on standard output, with JSON's own escapes where the encoding lacks a character."""
    print(json_text(facts))


def error_facts(error: LakekeyError) -> dict[str, Any]:
    """An error, as every command prints it with ``--json``."""
    return {"error": error.code, "message": error.message, "hint": error.hint, "profile": error.profile}


def kept_in(store: str, source: str | None, key: str | None) -> str:
    """Where sessions are kept, and where the key is that seals them, in a sentence."""
    if source == "memory":
        return "Kept in the memory of this process only: nothing is written."
    return f"Kept in {store}, sealed under the key in {key}."


def status_of(error: LakekeyError) -> int:
    """The exit status of a command that an error has ended."""
    return 3 if isinstance(error, LoginRequired) else 2 if isinstance(error, ConfigurationError) else 1


def print_json_rows(facts: dict[str, Any], name: str, rows: Iterable[Any], rest: Callable[[], dict[str, Any]]) -> int:
    """The same document for a list of any length, which is printed as it comes and is never whole in memory.

    Where an error ends the list, or Ctrl-C, the document is whole all the same: the error stands behind what there was.

    Args:
        facts: What stands before the list.
        name: The list's name.
        rows: What it holds.
        rest: Gives what stands behind it, when it has ended.

    Returns:
        The exit status: 0, or that of the error.
    """
    status = 0
    interruption: BaseException | None = None
    print("{", end="")
    for key, value in facts.items():
        print(f"\n  {json_text(key)}: {_nested(json_text(value), 2)},", end="")
    print(f"\n  {json_text(name)}: [", end="")
    mark = ""
    behind: dict[str, Any] = {}
    try:
        for row in rows:
            print(f"{mark}\n    {_nested(json_text(row), 4)}", end="")
            mark = ","
        behind = rest()
    except LakekeyError as error:
        status, behind = status_of(error), error_facts(error)
    except (KeyboardInterrupt, signals.Ended) as stop:
        interruption, behind = stop, {"error": "interrupted", "message": "interrupted", "hint": None, "profile": None}
    print("\n  ]" if mark else "]", end="")
    for key, value in behind.items():
        print(f",\n  {json_text(key)}: {_nested(json_text(value), 2)}", end="")
    print("\n}")
    if interruption is not None:
        raise interruption
    return status


def _nested(text: str, indent: int) -> str:
    return text.replace("\n", "\n" + " " * indent)


def json_text(facts: Any) -> str:
    """A JSON document, with JSON's own escapes for what standard output cannot show, or a terminal would obey."""
    from lakekey import _terminal

    text = json.dumps(facts, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        if not _terminal.is_terminal(sys.stdout) or text.replace("\n", "").isprintable():
            return text
    except UnicodeEncodeError:
        pass
    return json.dumps(facts, indent=2).replace("\x7f", "\\u007f")


def print_error(message: str, hint: str | None) -> None:
    """An error on standard error: what happened, and the next step."""
    from lakekey import _terminal
    from lakekey.cli import style

    first, *rest = _terminal.folded(f"lakekey: {style.clean(message)}", sys.stderr)
    lines = [style.paint("lakekey:", style.BAD, sys.stderr) + first.removeprefix("lakekey:"), *rest]
    print("\n".join(lines), file=sys.stderr)
    if hint:
        print("\n".join(step_lines(hint, sys.stderr, 2)), file=sys.stderr)


def step_lines(step: str, stream: Any, indent: int) -> list[str]:
    """The lines of a next step behind its arrow: broken between words on a terminal, and never inside a command."""
    from lakekey import _terminal
    from lakekey.cli import style

    step = style.clean(step)
    first, *rest = _terminal.folded(step, stream, indent + 2, _unbroken(step, ":"))
    return [f"{'':<{indent}}→ {first}", *(f"{'':<{indent + 2}}{line}" for line in rest)]


def _unbroken(text: str, before: str = "") -> list[str]:
    """The words of a text, where a command that a person copies counts as one: to the next comma or semicolon.

    Args:
        text: The text.
        before: What stands before it. A step may begin with a command; a sentence that begins so is about the program.
    """
    found: list[str] = []
    inside = False
    for word in text.split(" "):
        last = found[-1] if found else before
        begins = word in _PROGRAMS and (last.endswith((":", ",", ";")) or last in _BEFORE)
        begins = begins or (word.startswith("--") and last.endswith(":"))
        if inside:
            found[-1] += f" {word}"
        else:
            found.append(word)
        inside = (inside or begins) and not word.endswith((",", ";"))
    return found


def print_facts(facts: Mapping[str, str | None]) -> None:
    """Names and values, aligned; those without a value are left out. A long value goes on below, on a terminal."""
    from lakekey import _terminal
    from lakekey.cli import style

    shown = {name: style.clean(value) for name, value in facts.items() if value is not None}
    size = max((_terminal.columns(name) for name in shown), default=0)
    for name, value in shown.items():
        first, *rest = _terminal.folded(value, sys.stdout, size + 2)
        print(f"{name}{'':<{size - _terminal.columns(name)}}  {style.painted_state(first)}")
        for line in rest:
            print(f"{'':<{size}}  {line}")


def print_text(text: str, indent: int = 0) -> None:
    """A sentence, broken between words on a terminal, and never inside a command to be copied."""
    from lakekey import _terminal
    from lakekey.cli import style

    text = style.clean(text)
    print(f"\n{'':<{indent}}".join(_terminal.folded(text, sys.stdout, indent, _unbroken(text))), flush=True)


def print_step(text: str, command: str) -> None:
    """A sentence, and the command that it leads to: below it, where a terminal has no room beside it."""
    from lakekey import _terminal

    if len(_terminal.folded(f"{text} {command}", sys.stdout)) == 1:
        print(f"{text} {command}")
    else:
        print_text(text)
        print(f"  {command}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a header line; a block for each row, on a terminal that is too narrow for it."""
    from lakekey import _terminal
    from lakekey.cli import style

    header, *rows = [[style.clean(cell) for cell in row] for row in (header, *rows)]
    cells = [[(cell, style.colour_of(cell.strip())) for cell in row] for row in rows]
    lines = _terminal.table(header, cells, sys.stdout)
    if lines is not None:
        print("\n".join(lines))
        return
    for number, row in enumerate(rows):
        if number:
            print()
        print_facts({name.strip().lower(): cell.strip() or None for name, cell in zip(header, row, strict=True)})


def in_words(seconds: float) -> str:
    """A length of time as a person says it: ``in 58 min``, ``3 h ago``."""
    amount, unit = abs(seconds), "s"
    for size, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if amount >= size:
            amount, unit = amount / size, name
            break
    text = f"{amount:.0f} {unit}"
    return f"in {text}" if seconds >= 0 else f"{text} ago"


def when(iso: str | None) -> str | None:
    """A moment in the person's own time, with its zone, and how far it is from now."""
    if iso is None:
        return None
    import time
    from datetime import datetime

    from lakekey import _moments

    moment = datetime.fromisoformat(iso)
    return f"{_moments.local(moment):%Y-%m-%d %H:%M:%S %Z} ({in_words(moment.timestamp() - time.time())})"


def ends_in_words(ends_at: float, now: float) -> str:
    """When something ends, as a person says it: ``ends 15:40``, ``ends Thursday``, ``ends 12 Jan``."""
    from lakekey import _moments

    moment, today = (_moments.local(_moments.utc(seconds)) for seconds in (ends_at, now))
    days = (moment.date() - today.date()).days
    form = "%H:%M" if days == 0 else "%A" if 0 < days < 7 else "%-d %b" if os.name == "posix" else "%d %b"
    return f"ends {moment.strftime(form)}"
