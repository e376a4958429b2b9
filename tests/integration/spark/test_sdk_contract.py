"""What Databricks Connect relies on: a ``Config`` that signs REST and gRPC alike, through one TLS port.

Databricks Connect takes the SDK's ``Config`` and asks it for headers. Here a channel of ours does the same, so that
the contract is shown without that package.
"""

import grpc
import pytest
from databricks.sdk import WorkspaceClient
from pyspark.sql.connect.session import SparkSession

import lakekey


@pytest.fixture
def config(principal, monkeypatch, front):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", front.ca_file)
    return lakekey.sdk.config(principal)


@pytest.fixture
def spark(config, front):
    """A session whose channel asks the ``Config`` for headers with each RPC, as its documentation has it."""
    from pyspark.sql.connect.client import DefaultChannelBuilder

    class FromConfig(grpc.AuthMetadataPlugin):
        def __call__(self, context, callback):
            headers = config.authenticate()
            callback([(name.lower(), value) for name, value in headers.items()], None)

    class Builder(DefaultChannelBuilder):
        def toChannel(self):
            with open(front.ca_file, "rb") as file:
                tls = grpc.ssl_channel_credentials(file.read())
            both = grpc.composite_channel_credentials(tls, grpc.metadata_call_credentials(FromConfig()))
            return self._secure_channel(self.endpoint, both)

    made = SparkSession.builder.channelBuilder(Builder(front.url())).create()
    yield made
    made.stop()


def test_the_config_knows_host_and_cluster(config, principal):
    assert config.host == principal.target.host
    assert config.cluster_id == principal.target.cluster_id
    assert config.auth_type == "oauth-m2m"


def test_a_swapped_token_is_picked_up_by_rest_and_by_grpc(config, spark, principal, workspace, front):
    client = WorkspaceClient(config=config)
    first = principal.token().access_token
    assert client.current_user.me().user_name == workspace.client_id
    assert spark.sql("select 1").collect() == [(1,)]

    workspace.revoke(token=first)
    principal.invalidate(first)
    second = principal.token().access_token
    assert client.current_user.me().user_name == workspace.client_id
    assert spark.sql("select 2").collect() == [(2,)]

    for seen in (front.rest(), front.rpcs()):
        tokens = [rpc.token for rpc in seen if rpc.status == 200]
        assert {first[-12:], second[-12:]} <= set(tokens)
    assert workspace.counters["token.client_credentials"] == 2


def test_each_call_asks_for_headers(principal, config, workspace):
    client = WorkspaceClient(config=config)
    tokens = []
    for _ in range(3):
        client.current_user.me()
        tokens.append(config.authenticate()["Authorization"])
        token = principal.token().access_token
        principal.served(token)  # else a token that replaced a refused one is on trial, and kept
        principal.invalidate(token)

    assert len(set(tokens)) == 3


def test_a_copied_config_shares_the_session(principal, config):
    assert config.deep_copy().authenticate() == principal.headers()


def test_lakekeys_own_session_and_the_config_share_one_token(principal, config, connect, workspace):
    connect(principal).sql("select 1").collect()
    WorkspaceClient(config=config).current_user.me()

    assert workspace.counters["token.client_credentials"] == 1
