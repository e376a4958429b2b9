"""The channel builder: what pyspark reads of it, and the channel that it makes."""

import grpc
import pytest

import lakekey
from lakekey import Provider
from lakekey.configuration.target import resolve

HOST = "https://acme.cloud.databricks.com"
ROBOT = {"client_id": "robot", "client_secret": "dose-of-a-principal"}
AWAY, HERE = "sc://acme.cloud.databricks.com:443", "sc://127.0.0.1:15002"
NAME = f"lakekey/{lakekey.__version__}"


class Known:
    """A source whose person the server has named."""

    def __init__(self, source):
        self.target, self.headers = source.target, source.headers

    def identity(self):
        return "ada@example.com"


def builder(url=AWAY, *, around=None, given=None, **settings):
    provider = Provider(resolve(environ={}, host=HOST, **settings), around=around)
    return lakekey.spark.channel_builder(provider, url, **(given or {}))


@pytest.fixture
def made(monkeypatch):
    """The channels that gRPC was asked for: whether by TLS, where to, and with which options."""
    made = []

    def secure(endpoint, credentials, options=None):
        made.append((True, endpoint, dict(options)))
        return insecure_channel(endpoint)

    def insecure(endpoint, options=None):
        made.append((False, endpoint, dict(options)))
        return insecure_channel(endpoint)

    insecure_channel = grpc.insecure_channel
    monkeypatch.setattr(grpc, "secure_channel", secure)
    monkeypatch.setattr(grpc, "insecure_channel", insecure)
    return made


def test_channel_is_made_with_pysparks_options_and_by_tls_away_from_this_machine(made):
    for url in (AWAY, HERE, f"{HERE}/;use_ssl=true"):
        one = builder(url)
        one.toChannel().close()
        kept = getattr(one, "_effective_channel_options", lambda: one._channel_options)  # noqa: B023
        assert made[-1][2] == dict(kept())
    assert [each[:2] for each in made] == [
        (True, "acme.cloud.databricks.com:443"),
        (False, "127.0.0.1:15002"),
        (True, "127.0.0.1:15002"),
    ]


def test_proxy_is_kept_out_of_the_way_to_this_machine_only():
    found = [dict(builder(url)._channel_options).get("grpc.enable_http_proxy") for url in (AWAY, HERE)]
    assert found == [None, 0]


def test_program_is_named_before_lakekey_and_spark(monkeypatch):
    assert builder().userAgent.startswith(f"{NAME} spark/")
    monkeypatch.setenv("SPARK_CONNECT_USER_AGENT", "of_the_environment/1")
    assert builder().userAgent.startswith(f"of_the_environment/1 {NAME} spark/")
    assert builder(given={"user_agent": "mine/2"}).userAgent.startswith(f"mine/2 {NAME} spark/")


def test_agent_of_the_channel_is_the_callers_where_one_is_given():
    def agents(**given):
        return [value for name, value in builder(**given)._channel_options if name == "grpc.primary_user_agent"]

    assert agents() == [NAME]
    assert agents(given={"channel_options": [("grpc.primary_user_agent", "mine/2")]}) == ["mine/2"]


@pytest.mark.parametrize(
    ("settings", "given", "user"),
    [
        (ROBOT, {"user_id": "7"}, "7"),
        (ROBOT, None, "robot"),
        ({"user": "grace@example.com"}, None, "grace@example.com"),
        ({}, None, "ada@example.com"),
        ({"auth_type": "pat", "token": "dapi"}, None, ""),
    ],
    ids=["the caller's", "a service principal", "a named person", "the signed-in person", "not known"],
)
def test_session_is_kept_for_who_is_signed_in(settings, given, user):
    assert builder(around=Known, given=given, **settings).userId == user


def test_token_is_never_a_static_one(monkeypatch):
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "of-another")
    assert builder().token is None


def test_headers_are_left_out_where_there_are_none():
    assert not [name for name, _ in builder().metadata() if name.startswith("x-acme")]
    assert ("x-acme-team", "data") in builder(given={"headers": {"X-Acme-Team": "data"}}).metadata()
