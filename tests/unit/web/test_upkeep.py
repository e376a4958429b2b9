"""What *Test* says of a connection."""

from types import SimpleNamespace

import pytest

from lakekey.errors import LoginRequired
from lakekey.web import words
from lakekey.web.people import User
from lakekey.web.upkeep import Upkeep

ADA = User("ada@example.com")
CONSOLE = "https://accounts.cloud.databricks.com"


def tried(token):
    """The test of a connection to the account console, which answers no request of this test."""
    target = SimpleNamespace(host=CONSOLE)
    provider = SimpleNamespace(target=target, token=token, identity=lambda: ADA.name)
    portal = SimpleNamespace(provider=lambda *_: provider)
    return Upkeep._tried(SimpleNamespace(_portal=portal), ADA, "account")


@pytest.mark.parametrize(("language", "said"), [("en", "the account console"), ("de", "die Kontoverwaltung")])
def test_connection_to_the_account_console_is_said_to_be_one(language, said):
    key, values = tried(lambda: "a token")
    text = words.text(language, key, profile="account", **values)
    assert text.startswith(ADA.name)
    assert said in text


def test_connection_to_the_account_console_that_has_no_token_does_not_pass():
    def token():
        raise LoginRequired("it is over")

    with pytest.raises(LoginRequired):
        tried(token)
