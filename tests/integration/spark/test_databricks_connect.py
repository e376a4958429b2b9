"""Databricks Connect itself: only where a user names a workspace, and has that package under its own licence."""

import os
import pwd

import pytest

import lakekey


@pytest.mark.databricks_connect
@pytest.mark.timeout(900)  # a cluster may have to start
def test_databricks_connect_runs_a_query(request, monkeypatch):
    connect = pytest.importorskip("databricks.connect")
    # The user's own configuration and session, which other tests do not get to see.
    monkeypatch.setenv("HOME", pwd.getpwuid(os.getuid()).pw_dir)
    monkeypatch.delenv("LAKEKEY_CACHE_DIR")
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE")

    config = lakekey.sdk.config(request.config.getoption("--databricks-connect"))

    assert connect.DatabricksSession.builder.sdkConfig(config).getOrCreate().sql("select 1").collect() == [(1,)]
