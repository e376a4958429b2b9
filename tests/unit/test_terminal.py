"""What is shown at a terminal, and what of it goes into a pipe: widths, tables, colours, links."""

import io
import os
import sys

import pytest

from lakekey import _terminal


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


PIPE, SCREEN = io.StringIO(), Screen()
ROWS = [[("prod", ""), ("signed in", "green")], [("夜間", ""), ("failed", "red")]]


def test_pipe_gets_the_plain_table_without_blanks_at_the_ends(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "5")
    assert _terminal.table(("NAME", "STATE"), ROWS, PIPE) == [
        "NAME  STATE",
        "prod  signed in",
        "夜間  failed",
    ]


def test_table_on_a_terminal_without_escapes_is_as_wide_as_the_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "140")
    assert _terminal.table(("A", "B"), [[("x" * 60, ""), ("y" * 60, "")]], SCREEN)[1] == f"{'x' * 60}  {'y' * 60}"
    monkeypatch.setenv("COLUMNS", "100")
    assert _terminal.table(("A", "B"), [[("x" * 60, ""), ("y" * 60, "")]], SCREEN) is None


def test_terminal_gets_the_table_in_colours_where_it_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    header, first, _ = _terminal.table(("NAME", "STATE"), ROWS, SCREEN)
    assert "\x1b[2mNAME" in header
    assert first == "prod  \x1b[32msigned in\x1b[0m"


def test_table_that_is_too_wide_is_not_made():
    wide = [[("x" * 40, ""), ("y" * 40, "")]]
    assert _terminal.table(("NAME", "STATE"), wide, SCREEN) is None
    assert _terminal.table(("NAME", "STATE"), wide, PIPE) is not None


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold]", ":smile:", "[link=https://evil.example.com]x", "'a' 1 True https://x"]
)
def test_foreign_text_is_not_markup(text):
    assert _terminal.painted(text, "red", SCREEN) == f"\x1b[31m{text}\x1b[0m"
    assert _terminal.table(("NAME",), [[(text, "")]], SCREEN)[1] == text


@pytest.mark.parametrize("around", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_terminal_that_wants_no_colours_gets_neither_colours_nor_links(monkeypatch, around):
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert _terminal.painted("text", "red", SCREEN) == "text"
    assert _terminal.link("https://a", SCREEN) == "https://a"
    assert "\x1b" not in "".join(_terminal.table(("NAME",), [[("x", "red")]], SCREEN))


@pytest.mark.skipif(os.name == "nt", reason="what a console of Windows shows is asked of Windows")
def test_address_is_a_link_and_is_never_broken():
    address = f"https://host/{'x' * 300}"
    shown = _terminal.link(address, SCREEN)
    assert shown.startswith("\x1b]8;id=")
    assert shown.count(address) == 2
    assert "\n" not in shown


def test_closed_stream_is_not_a_terminal():
    closed = Screen()
    closed.close()
    assert not _terminal.is_terminal(type("Closed", (), {"isatty": lambda self: closed.read()})())
    assert not _terminal.is_terminal(None)


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("夜間", 4), ("e\u0301", 1), ("👍🏽", 2), ("", 0)])
def test_width_is_counted_in_columns(text, columns):
    assert _terminal.columns(text) == columns


@pytest.mark.parametrize("columns", [20, 40])
def test_sentence_is_broken_between_words_only(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = f"夜間 の 設定 kept in /home/{'x' * 60}/lakekey, sealed under the key"
    lines = _terminal.folded(text, SCREEN, 4)
    assert " ".join(lines) == text
    assert all(4 + _terminal.columns(line) <= columns or " " not in line for line in lines)
    assert _terminal.folded(text, PIPE, 4) == [text]


def test_terminal_has_20_columns_at_least_and_80_where_none_says(monkeypatch):
    def unknown(*_):
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", unknown)
    assert _terminal.width(SCREEN) == 80
    for said, columns in (("5", 20), ("20", 20), ("120", 120)):
        monkeypatch.setenv("COLUMNS", said)
        assert _terminal.width(SCREEN) == columns
    assert _terminal.width(PIPE) is None


def test_line_that_fits_stays_one_and_what_is_not_to_be_broken_stays_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    a, b = "a" * 9, "b" * 10
    assert _terminal.folded(f"{a} {b}", SCREEN) == [f"{a} {b}"]
    assert _terminal.folded(f"{a} {b}", SCREEN, 1) == [a, b]
    assert _terminal.folded(f"{a} {b}b c", SCREEN) == [a, f"{b}b c"]
    words = [f"{a} {a}", b, "c"]
    assert _terminal.folded(" ".join(words), SCREEN, 0, words) == [f"{a} {a}", f"{b} c"]


def test_pipe_is_written_to_without_rich(monkeypatch):
    for name in ("console", "style", "table", "text"):
        monkeypatch.setitem(sys.modules, f"rich.{name}", None)
    assert _terminal.painted("text", "red", PIPE) == "text"
    assert _terminal.painted("", "red", SCREEN) == ""
    assert _terminal.link("https://a", PIPE) == "https://a"
    assert _terminal.folded("a b", PIPE) == ["a b"]
    assert _terminal.table(("A", "B"), [[("x", "red"), ("y", "")]], PIPE) == ["A  B", "x  y"]


def test_table_that_fills_the_terminal_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    cells = [("x" * 9, ""), ("y" * 9, "")]
    assert _terminal.table(("A", "B"), [cells], SCREEN)[1] == f"{'x' * 9}  {'y' * 9}"
    assert _terminal.table(("A", "B"), [[cells[0], ("y" * 10, "")]], SCREEN) is None
