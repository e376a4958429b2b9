"""A user, as the host application names one."""

import pytest

from lakekey.errors import ConfigurationError
from lakekey.web.people import User, user_of


@pytest.mark.parametrize(
    ("given", "said", "step"),
    [
        (b"ada", "the user is of type bytes", "user name"),
        (("ada", "7"), "the user is of type tuple", "user name"),
        (User(7), "the user is of type int", "user name"),
        (User("ada", 7), "the user's id is of type int", "str(id)"),
        (User("ada", None), "the user's id is of type NoneType", "str(id)"),
    ],
)
def test_what_is_not_text_is_named_with_its_type_and_the_step(given, said, step):
    with pytest.raises(ConfigurationError, match=said) as refused:
        user_of(given)
    assert step in refused.value.hint


@pytest.mark.parametrize("name", ["", " ada", "ada\n", "a\u202eda", "\ud800", "a" * 321])
def test_name_that_cannot_be_one_is_refused_and_never_changed(name):
    with pytest.raises(ConfigurationError):
        user_of(name)
