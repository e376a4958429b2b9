"""Facts as JSON: a list of any length is printed as it comes, and looks like one that was whole."""

import json
import sys

import pytest

from lakekey.cli.output import print_json, print_json_rows
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired, StoreUnavailable

ROW = {"name": "Zoë\nof two lines", "of": {"more": [1, 2]}, "none": []}


@pytest.mark.parametrize("rows", [[], [ROW], [ROW, {}, ROW]])
@pytest.mark.parametrize("facts", [{}, {"store": "here", "more": {"a": None}}])
@pytest.mark.parametrize("rest", [{}, {"next": None}, {"next": "5f", "last": [True]}])
def test_rows_that_are_printed_one_by_one_make_the_usual_document(rows, facts, rest, capsys):
    print_json_rows(facts, "sessions", iter(rows), lambda: rest)
    whole = json.dumps({**facts, "sessions": rows, **rest}, indent=2, ensure_ascii=False)
    assert capsys.readouterr().out == f"{whole}\n"


@pytest.mark.parametrize("rows", [[], [ROW], [ROW, {}]])
@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("gone", hint="try"), 1), (LoginRequired("over"), 3), (ConfigurationError("x"), 2)],
)
def test_document_is_whole_where_an_error_ends_its_list(rows, error, status, capsys):
    def breaks():
        yield from rows
        raise error

    assert print_json_rows({"store": "here"}, "sessions", breaks(), lambda: {"next": None}) == status
    printed = json.loads(capsys.readouterr().out)
    assert printed["store"] == "here" and printed["sessions"] == rows and "next" not in printed
    assert (printed["error"], printed["message"], printed["hint"]) == (error.code, error.message, error.hint)


def test_document_is_whole_even_if_what_follows_the_list_fails(capsys):
    def fails():
        raise LakekeyError("the key stays")

    assert print_json_rows({}, "sessions", [ROW], fails) == 1
    assert json.loads(capsys.readouterr().out)["message"] == "the key stays"


COMMANDS = "\x1b[2J\x7f\x85\x9b31m\u200f\u202e\u2066\ud800"


def test_json_on_a_terminal_commands_it_to_nothing(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_json({"name": COMMANDS})
    print_json({"name": "Zoë"})
    dangerous, plain = capsys.readouterr().out.split("}\n{")
    assert dangerous.replace("\n", "").isprintable()
    assert json.loads(dangerous + "}") == {"name": COMMANDS}
    assert "Zoë" in plain


def test_json_into_a_pipe_keeps_its_characters(capsys):
    print_json({"name": "Zoë\u200f"})
    assert "Zoë\u200f" in capsys.readouterr().out
