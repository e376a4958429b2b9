"""The authorization answer: a code or an error, once each, for the request that carried the state."""

import pytest

from lakekey.oauth.authorization_answer import read_answer, state_matches


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("code=c&state=s", {"code": "c", "state": "s"}),
        ("error=e", {"error": "e"}),
        ("code=a%2Fb+c", {"code": "a/b c"}),
        ("code=c&error=", {"code": "c", "error": ""}),
        ("code=c&" + "&".join(f"a{number}=" for number in range(29)), "whole"),
        ("code=c&" + "&".join(f"a{number}=" for number in range(30)), None),
        ("code=" + "c" * (16 * 1024 - 5), "whole"),
        ("code=" + "c" * (16 * 1024 - 4), None),
        ("", None),
        ("state=s", None),
        ("code=&state=s", None),
        ("code=c&error=e", None),
        ("code=c&code=c", None),
        ("code=c&state=s&state=s", None),
        ("code=%ff", None),
        ("code=\u00e9", None),
    ],
)
def test_answer_is_read_where_it_is_one(query, answer):
    found = read_answer(query)
    assert found == answer if answer != "whole" else found is not None


@pytest.mark.parametrize(
    ("parameters", "state", "matches"),
    [
        ({"state": "s"}, "s", True),
        ({"state": "S"}, "s", False),
        ({}, "s", False),
        ({"state": ""}, "", False),
        ({}, "", False),
    ],
)
def test_answer_belongs_to_the_request_that_carried_its_state(parameters, state, matches):
    assert state_matches(parameters, state) is matches
