"""Errors that the pages say: each has a text in both languages, with the places that it fills."""

import ast
import string
from pathlib import Path

import pytest

import lakekey.errors
import lakekey.web
from lakekey.errors import (
    CacheError,
    CacheWriteFailed,
    ConfigurationError,
    CredentialsRefused,
    KeyUnavailable,
    LakekeyError,
    TokenEndpointError,
)
from lakekey.web import pages, words, words_english, words_german
from lakekey.web.told import told


def raised():
    """Each ``told(…)`` and ``retold(…)`` in the source: its key, and the names of its values."""
    for path in Path(lakekey.web.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("told", "retold"):
                names = {each.arg for each in node.keywords} - {"hint", "profile"}
                yield node.args[0].value, names


def test_each_error_of_the_portal_has_a_text_with_its_values_and_each_text_an_error():
    found = dict(raised())
    for key, names in raised():
        text = words_english.TEXTS[key]
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= names, key
    assert found.keys() == {key for key in words_german.TEXTS if key.startswith("e-")}


def test_error_of_a_lower_layer_is_reported_by_its_kind_and_quoted_as_english():
    message = pages.error_message("de", TokenEndpointError("the token endpoint <answered> HTTP 500"))
    assert message.text == "Databricks gab keine brauchbare Antwort. Bitte versuchen Sie es später noch einmal."
    quoted = "the token endpoint &lt;answered&gt; HTTP 500"
    assert f'<p class="quiet" lang="en">{quoted}</p>' in pages.message_box(message)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    "error", [ConfigurationError, CacheError, CacheWriteFailed, KeyUnavailable, CredentialsRefused]
)
def test_next_step_of_a_command_line_is_not_shown_and_someone_is_named_who_can_take_it(error, language):
    given = error("an entry is damaged", hint="lakekey doctor says why")
    shown = pages.message_box(pages.error_message(language, given))
    assert "an entry is damaged" in shown
    assert words.text(language, "ask-administrator") in shown
    told_administrators = pages.message_box(pages.error_message(language, given, to_administrator=True))
    assert words.text(language, "see-log") in told_administrators
    assert "lakekey doctor" not in shown + told_administrators


KINDS = [each for each in vars(lakekey.errors).values() if isinstance(each, type) and issubclass(each, LakekeyError)]


@pytest.mark.parametrize("error", [each for each in KINDS if each is not LakekeyError], ids=lambda error: error.code)
def test_each_kind_of_error_has_a_text_of_its_own(error):
    assert "error-" + error.code in words_german.TEXTS


def test_names_in_an_error_are_shown_as_text():
    error = told("e-no-app", "there is none", app="<b>\N{RIGHT-TO-LEFT OVERRIDE}")
    shown = pages.message_box(pages.error_message("en", error))
    assert "There is no app &lt;b&gt;\N{REPLACEMENT CHARACTER}. It may already have been removed." in shown
