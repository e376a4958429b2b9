"""A new connection for SQLAlchemy's pool, and what an engine may be signed in with."""

import pytest
from databricks.sql.exc import RequestError

from lakekey.errors import ConfigurationError, LoginRequired, TokenRefused
from lakekey.sqlalchemy import _check_host, _connection
from support.told_provider import ToldProvider


class Refuses:
    """A dialect whose server refuses each connection, with what it was asked for them."""

    def __init__(self, code=401):
        self.code = code
        self.sent = []

    def connect(self, *, credentials_provider, **arguments):
        self.sent.append(credentials_provider()()["Authorization"])
        raise RequestError("no", {"http-code": self.code, "method": "OpenSession", "attempt": "1/30"})


@pytest.mark.parametrize(
    ("tokens", "sent", "hint"), [(["one"], 1, "lack rights"), (["one", "two", "three"], 2, "connect again")]
)
def test_refused_connection_is_tried_once_more_with_another_token_and_no_third_time(tokens, sent, hint):
    dialect = Refuses()
    with pytest.raises(RequestError) as caught:
        _connection(dialect, ToldProvider(*tokens), {})
    assert dialect.sent == [f"Bearer {token}" for token in tokens[:sent]]
    assert isinstance(caught.value.__cause__, TokenRefused)
    assert hint in caught.value.__cause__.hint


def test_why_there_is_no_other_token_is_reported():
    provider, dialect = ToldProvider("one"), Refuses()
    provider.trouble = LoginRequired("sign in")
    with pytest.raises(LoginRequired):
        _connection(dialect, provider, {})
    assert len(dialect.sent) == 1


def test_connection_that_fails_for_another_reason_is_not_tried_again():
    provider, dialect = ToldProvider("one", "two"), Refuses(code=404)
    with pytest.raises(RequestError) as caught:
        _connection(dialect, provider, {})
    assert (caught.value.__cause__, dialect.sent, provider.told) == (None, ["Bearer one"], [])


@pytest.mark.parametrize("host", [None, "", "prod.example.com", "PROD.example.com:443"])
def test_engine_of_the_profiles_own_host_or_of_none_is_signed_in(host):
    _check_host(host, ToldProvider("one"))


def test_engine_of_another_host_is_refused():
    with pytest.raises(ConfigurationError, match=r"the engine is for dev\.example\.com, and the profile for"):
        _check_host("dev.example.com", ToldProvider("one"))
