"""Facts as JSON: a list of any length is printed as it comes, and looks like one that was whole."""

import json

import pytest

from lakekey.cli.output import print_json_rows

ROW = {"name": "Zoë\nof two lines", "of": {"more": [1, 2]}, "none": []}


@pytest.mark.parametrize("rows", [[], [ROW], [ROW, {}, ROW]])
@pytest.mark.parametrize("facts", [{}, {"store": "here", "more": {"a": None}}])
@pytest.mark.parametrize("rest", [{}, {"next": None}, {"next": "5f", "last": [True]}])
def test_rows_that_are_printed_one_by_one_make_the_usual_document(rows, facts, rest, capsys):
    print_json_rows(facts, "sessions", iter(rows), lambda: rest)
    whole = json.dumps({**facts, "sessions": rows, **rest}, indent=2, ensure_ascii=False)
    assert capsys.readouterr().out == f"{whole}\n"
