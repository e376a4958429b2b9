"""Which refused tokens are replaced although they are on trial."""

import pytest

from lakekey.providers.sources import SecondChances, credentials_of


@pytest.mark.parametrize(
    ("headers", "credentials"),
    [
        ({"Authorization": "Bearer one"}, "one"),
        ({"Authorization": "Basic YWRhOg=="}, "YWRhOg=="),
        ({"Authorization": "Bearer"}, ""),
        ({"X-Other": "Bearer one"}, ""),
    ],
)
def test_credentials_are_what_follows_the_scheme(headers, credentials):
    assert credentials_of(headers) == credentials


def test_token_on_trial_that_never_served_is_not_replaced():
    assert SecondChances().take("new", on_trial=True) == ""


def test_token_that_has_served_is_replaced_three_times_and_no_more():
    chances = SecondChances()
    taken = []
    for number in range(4):
        chances.served(f"token {number}")
        taken.append(chances.take(f"token {number}", on_trial=True))
    assert taken == ["token 0", "token 1", "token 2", ""]


def test_token_that_another_one_has_replaced_is_not_replaced_again():
    chances = SecondChances()
    chances.served("old")
    chances.served("new")
    assert chances.take("old", on_trial=True) == ""


def test_refusal_of_a_token_past_its_trial_gives_all_chances_back():
    chances = SecondChances()
    chances.served("token")
    while chances.take("token", on_trial=True):
        pass
    assert chances.take("token", on_trial=False) == ""
    assert chances.take("token", on_trial=True) == "token"
