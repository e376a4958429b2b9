"""Printing facts: as JSON for programs, as an aligned table for people."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def print_json(facts: Any) -> None:
    """One JSON document on standard output, with JSON's own escapes where the encoding lacks a character."""
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(facts, indent=2)
    print(text)


def print_error(message: str, hint: str | None) -> None:
    """An error on standard error: what happened, and the next step."""
    print(f"lakekey: {message}", file=sys.stderr)
    if hint:
        print(f"  → {hint}", file=sys.stderr)


def print_facts(facts: Mapping[str, str | None]) -> None:
    """Names and values, aligned; those without a value are left out."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        if value is not None:
            print(f"{name:<{width}}  {value}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a header line."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def in_words(seconds: float) -> str:
    """A length of time as a person says it: ``in 58 min``, ``3 h ago``."""
    amount, unit = abs(seconds), "s"
    for size, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if amount >= size:
            amount, unit = amount / size, name
            break
    text = f"{amount:.0f} {unit}"
    return f"in {text}" if seconds >= 0 else f"{text} ago"
