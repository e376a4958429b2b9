"""What a connection learns from its host, where the configuration does not say it."""

import pytest
import requests

import lakekey
from lakekey.providers.host_facts import with_workspace
from lakekey.sql.arguments import connect_arguments


@pytest.fixture
def cluster(lakekey_environment, monkeypatch):
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID")
    monkeypatch.setenv("DATABRICKS_CLUSTER_ID", "0123-abc")
    return lakekey_environment


def test_cluster_alone_is_enough_for_sql_and_is_asked_for_once(cluster):
    said = requests.get(f"{cluster.host}/.well-known/databricks-config", verify=cluster.ca_file, timeout=10).json()
    cluster.reset_log()
    provider = lakekey.provider()
    assert (provider.target.http_path, cluster.log) == (None, [])
    path = f"/sql/protocolv1/o/{said['workspace_id']}/0123-abc"
    for _ in range(2):
        assert connect_arguments(provider.target)["http_path"].partition("?")[0] == path
    assert [entry.path for entry in cluster.log].count("/.well-known/databricks-config") == 1
    assert with_workspace(provider.target).account_id == said["account_id"]


def test_host_that_does_not_say_leaves_the_target_as_it_is(monkeypatch, cluster):
    target = lakekey.provider(host="https://127.0.0.1:1").target
    assert with_workspace(target) is target
    with pytest.raises(lakekey.ConfigurationError, match="there is no http_path"):
        connect_arguments(target)
