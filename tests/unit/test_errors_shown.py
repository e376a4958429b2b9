"""Errors as texts: what they quote commands no terminal that shows a traceback."""

import pickle

import pytest

from lakekey.errors import LakekeyError, ServicePrincipalMissingWarning

COMMANDS = "\x1b[2J\x7f\x85\x9b31m\u200f\u202e\u2066\r"


@pytest.mark.parametrize("made", [LakekeyError, ServicePrincipalMissingWarning])
@pytest.mark.parametrize("part", ["message", "hint", "profile"])
def test_characters_that_command_a_terminal_are_escaped(made, part):
    texts = {"message": "it failed", "hint": "try again", "profile": "dev"}
    texts[part] += COMMANDS
    error = made(texts["message"], hint=texts["hint"], profile=texts["profile"])
    assert str(error).isprintable()
    assert r"\x1b[2J\x7f\x85\x9b31m\u200f\u202e\u2066\r" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_letters_and_lines_stay():
    error = LakekeyError("Zoë's profile\nof two\N{NO-BREAK SPACE}lines", profile="日本")
    assert str(error) == "日本: Zoë's profile\nof two\N{NO-BREAK SPACE}lines"
