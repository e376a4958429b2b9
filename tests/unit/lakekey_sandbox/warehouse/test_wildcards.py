"""Patterns with wildcards, matched in a time that does not grow with the ways to share a name among them."""

import fnmatch
import itertools

import pytest

from lakekey_sandbox.warehouse.wildcards import ANY, ONE, matcher


def parts(pattern):
    return [{"*": ANY, "?": ONE}.get(each, each) for each in pattern]


def test_patterns_match_as_those_of_a_shell():
    names = ["".join(name) for size in range(5) for name in itertools.product("ab", repeat=size)]
    for size in range(5):
        for pattern in map("".join, itertools.product("ab*?", repeat=size)):
            matches = matcher(parts(pattern))
            assert [name for name in names if matches(name)] == [n for n in names if fnmatch.fnmatchcase(n, pattern)]


@pytest.mark.parametrize(
    ("pattern", "name"), [("Tab*", "tABLE"), ("*\u00dc?", "\u00fcx"), ("[a]*", "[A]b"), ("*", "a\nb")]
)
def test_case_does_not_count_and_nothing_else_is_special(pattern, name):
    assert matcher(parts(pattern))(name)


@pytest.mark.timeout(20)
def test_many_wildcards_are_tried_in_one_way():
    assert not matcher(parts("*a" * 30 + "*b"))("a" * 200)
