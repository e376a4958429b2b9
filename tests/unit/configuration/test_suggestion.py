"""The known name that a mistyped one most resembles."""

import pytest

from lakekey.configuration.suggestion import misspelled, nearest


@pytest.mark.parametrize(
    ("word", "found"), [("hots", "host"), ("HOST_", "host"), ("Tokne", "Token"), ("unlike", None), ("", None)]
)
def test_most_alike_of_the_known_words_is_found_whatever_its_case(word, found):
    assert nearest(word, ["port", "host", "Token"]) == found


def test_how_much_alike_they_must_be_can_be_chosen():
    assert nearest("hostname", ["host"]) is None
    assert nearest("hostname", ["host"], at_least=0.6) == "host"


@pytest.mark.parametrize(
    ("keys", "known", "found"),
    [
        (["clientid", "host"], ["host"], "clientid"),
        (["token", "client_idd"], [], "client_idd"),
        (["client_idd"], ["client_idd"], None),
        (["unlike"], [], None),
    ],
)
def test_key_that_means_a_missing_setting_is_found_unless_it_means_another(keys, known, found):
    assert misspelled("client_id", keys, known) == found


def test_key_may_be_much_longer_than_the_setting():
    assert misspelled("host", ["hostname"], []) == "hostname"
