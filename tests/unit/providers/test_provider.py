"""The shapes that a provider gives its source."""

import asyncio
import copy
import pickle
import threading
from datetime import UTC, datetime

import pytest

from lakekey import Provider
from lakekey.configuration.target import resolve
from lakekey.providers import hot_path
from lakekey.providers.token import Token
from lakekey.session.timing import Timing
from support.inside import source_of

TARGET = resolve(environ={}, host="https://acme.cloud.databricks.com")
END = datetime(2030, 1, 1, tzinfo=UTC)


class Told:
    """A source that notes what it is told, and by which thread it is asked for a token."""

    def __init__(self, source):
        self.target = source.target
        self.told = []
        self.is_fresh = False
        self.asked_by = None
        self.strategy = None
        self.headers = lambda: {"Authorization": "Bearer one"}

    def located(self):
        return TARGET

    def sdk_headers(self):
        return self.strategy

    def token(self):
        self.asked_by = threading.current_thread()
        return Token("one", "Bearer", END, ())

    def unattended_headers(self):
        return {"Authorization": "Bearer unattended"}

    def invalidate(self, access_token, *, ask):
        self.told.append(("invalidate", access_token, ask))
        return True

    def login(self, *, switch):
        self.told.append(("login", switch))

    def on_session_ending(self, callback):
        self.told.append(("ending", callback))

    def served(self, access_token):
        self.told.append(("served", access_token))


@pytest.fixture
def provider():
    return Provider(TARGET, around=Told)


def test_sql_connector_gets_the_headers_and_the_sdk_a_token_as_well(provider):
    assert provider()() == provider.headers() == {"Authorization": "Bearer one"}
    for_sdk = provider("the SDK's configuration")
    assert for_sdk() == provider.headers()
    token = for_sdk.oauth_token()
    assert (token.access_token, token.token_type, token.expiry) == (
        "one",
        "Bearer",
        END.astimezone().replace(tzinfo=None),
    )
    provider._source.strategy = "the SDK's own"
    assert provider("the SDK's configuration") == "the SDK's own"


@pytest.mark.parametrize("is_fresh", [True, False])
def test_event_loop_is_left_only_for_a_token_that_may_take_its_time(provider, is_fresh):
    provider._source.is_fresh = is_fresh
    assert asyncio.run(provider.atoken()).access_token == "one"
    assert (provider._source.asked_by is threading.current_thread()) is is_fresh


def test_target_whose_host_only_a_cloud_knows_is_located_when_it_is_asked_for(provider):
    assert provider.target is TARGET
    provider._source.target = TARGET.at("")
    assert repr(provider).endswith("external-browser at Azure>")
    assert provider.target is TARGET


def test_source_is_told_what_the_provider_is_told(provider):
    assert provider.login().access_token == "one"
    provider.login(switch=True)
    provider.on_session_ending(print)
    provider.served("one")
    assert provider._source.told == [("login", False), ("login", True), ("ending", print), ("served", "one")]


def test_person_may_be_asked_to_sign_in_unless_the_caller_says_otherwise(provider):
    assert provider.headers() == {"Authorization": "Bearer one"}
    assert provider.headers(ask=False) == {"Authorization": "Bearer unattended"}
    assert provider.invalidate("one")
    assert provider.invalidate("two", ask=False)
    assert provider._source.told == [("invalidate", "one", True), ("invalidate", "two", False)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, ()), ({"interactive": "never"}, ("never", None)), ({"around": Told}, (None, Told))],
    ids=["nothing", "interactive", "around"],
)
def test_pickle_keeps_how_a_provider_was_made(given, kept):
    made = Provider(TARGET, **given)
    assert made.__reduce__() == (Provider, (TARGET, *kept))
    assert isinstance(pickle.loads(pickle.dumps(made))._source, Told) is ("around" in given)


def test_copy_is_the_provider_itself(provider):
    assert copy.deepcopy([provider])[0] is provider


def test_pause_before_another_try_is_that_of_the_timing():
    assert source_of(Provider(TARGET, timing=Timing(stale_pause=0.5)))._first_pause == 0.5
    assert source_of(Provider(TARGET))._first_pause == hot_path._FIRST_PAUSE
