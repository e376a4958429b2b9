"""Edits to the text of a ``.databrickscfg`` that leave every other byte of it as it is.

`configparser` can write such a file, but without its comments, order and blank lines. So the lines are sorted by its
rules here (sections, options, continuation lines, comments), and only those that an edit is about are touched.
`lakekey.configuration.profile_writer` compares the result with what `configparser` reads from it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lakekey.configuration.databrickscfg import SETTINGS_SECTION

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_COMMENTS = ("#", ";")
_BYTE_ORDER_MARK = "\ufeff"


class _Option(NamedTuple):
    name: str
    start: int
    end: int  # behind its last continuation line


class _Section(NamedTuple):
    name: str
    header: int
    options: list[_Option]
    end: int  # the next section's header, or the end of the file

    @property
    def body_end(self) -> int:
        """Behind the last line that says something."""
        return self.options[-1].end if self.options else self.header + 1


def names(text: str) -> list[str]:
    """The sections, in the order of the file."""
    return [section.name for section in _sections(_lines(text))]


def with_values(text: str, name: str, values: Mapping[str, str | None]) -> str:
    """The text with a section that has these values, which is added where it is missing.

    Args:
        text: The file's text.
        name: The section.
        values: Key to value; ``None`` removes the key.
    """
    for key, value in values.items():
        text = _without_key(text, name, key) if value is None else _with_value(text, name, key, value)
    return text if name in names(text) else _with_section(text, name)


def without_section(text: str, name: str) -> str:
    """The text without a section. Comments that stand apart, behind a blank line, stay: they are about what follows."""
    lines = _lines(text)
    for section in reversed(list(_sections(lines))):
        if section.name == name:
            end = section.body_end
            while end < section.end and lines[end].strip():
                end += 1
            if end < section.end:
                end += 1  # the blank line that set it apart
            del lines[section.header : end]
    return "".join(lines)


def with_new_name(text: str, old: str, new: str) -> str:
    """The text with a section renamed, also where ``default_profile`` names it."""
    lines = _lines(text)
    for section in _sections(lines):
        if section.name == old:
            before, _, after = lines[section.header].partition("[")
            lines[section.header] = f"{before}[{new}{after[after.rindex(']') :]}"
    return "".join(lines)


def _with_section(text: str, name: str) -> str:
    newline = _newline(text)
    if text.removeprefix(_BYTE_ORDER_MARK).strip():
        if not text.endswith(("\n", "\r")):
            text += newline
        text += newline
    return f"{text}[{name}]{newline}"


def _with_value(text: str, name: str, key: str, value: str) -> str:
    if name not in names(text):
        text = _with_section(text, name)
    newline, lines = _newline(text), _lines(text)
    sections = [section for section in _sections(lines) if section.name == name]
    for section in sections:
        for option in section.options:
            if option.name == key:
                written = re.match(r"[^=:]*[=:][ \t]*", lines[option.start])
                before = written[0] if written else f"{key} = "
                before += " " if before.endswith(("=", ":")) else ""
                lines[option.start : option.end] = [f"{before}{value}{newline}"]
                return "".join(lines)
    section = sections[-1]
    at = section.body_end
    if not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    indent = ""
    if section.options:
        first = lines[section.options[-1].start]
        indent = first[: len(first) - len(first.lstrip())]
    lines.insert(at, f"{indent}{key} = {value}{newline}")
    return "".join(lines)


def _without_key(text: str, name: str, key: str) -> str:
    lines = _lines(text)
    for section in reversed(list(_sections(lines))):
        for option in reversed(section.options):
            if section.name == name and option.name == key:
                del lines[option.start : option.end]
    return "".join(lines)


def _lines(text: str) -> list[str]:
    return _LINE.findall(text)


def _newline(text: str) -> str:
    first = _LINE.match(text)
    line = first[0] if first else ""
    return line[len(line.rstrip("\r\n")) :] or "\n"


def _sections(lines: list[str]) -> Iterator[_Section]:
    """The sections, told apart as `configparser` does it, which takes an indented line for a continuation."""
    section: _Section | None = None
    indent = 0
    for number, raw in enumerate(lines):
        line = raw.removeprefix(_BYTE_ORDER_MARK) if number == 0 else raw
        words = line.strip()
        if not words or words.startswith(_COMMENTS):
            continue
        depth = len(line) - len(line.lstrip())
        if section is not None and section.options and depth > indent:
            section.options[-1] = section.options[-1]._replace(end=number + 1)
            continue
        indent = depth
        header = re.match(r"\[(.+)\]", words)
        if header:
            if section is not None:
                yield section._replace(end=number)
            section = _Section(header[1], number, [], len(lines))
        elif section is not None:
            key = re.split("[=:]", words, maxsplit=1)[0].strip().lower()
            section.options.append(_Option(key, number, number + 1))
    if section is not None:
        yield section


def without_default(text: str) -> str:
    """The text without ``[__settings__] default_profile``."""
    return _without_key(text, SETTINGS_SECTION, "default_profile")


def with_default(text: str, name: str) -> str:
    """The text with ``[__settings__] default_profile``."""
    return _with_value(text, SETTINGS_SECTION, "default_profile", name)
