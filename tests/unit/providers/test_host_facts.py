"""What the host is asked of itself for a connection, and when."""

import logging
from types import SimpleNamespace

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.providers import host_facts
from lakekey.providers.host_facts import sql_path, with_workspace

WAREHOUSE = "/sql/1.0/warehouses/w"


@pytest.mark.parametrize(
    ("settings", "path", "asks"),
    [
        ({"cluster_id": "c"}, None, True),
        ({"cluster_id": "c"}, "/other", False),
        ({"cluster_id": "c", "http_path": WAREHOUSE}, None, False),
        ({"http_path": WAREHOUSE}, None, False),
        ({}, None, False),
    ],
    ids=["a cluster", "a cluster and a path", "a cluster and the target's path", "a path", "nothing"],
)
def test_host_is_asked_for_its_workspace_only_for_the_path_of_a_cluster(caplog, settings, path, asks):
    target = resolve(environ={}, host="https://127.0.0.1:1", **settings)
    with caplog.at_level(logging.DEBUG, "lakekey.provider"):
        if path or target.http_path:
            assert sql_path(target, path) == (path or WAREHOUSE)
        else:
            with pytest.raises(ConfigurationError, match="http_path"):
                sql_path(target, path)
    assert ("workspace is not known" in caplog.text) is asks


@pytest.fixture
def known(monkeypatch):
    """The host says which workspace and account it serves."""
    found = SimpleNamespace(workspace_id="123", account_id="an-account")
    monkeypatch.setattr(host_facts, "open_cache", lambda *_, **__: None)
    monkeypatch.setattr(host_facts, "client_of", lambda *_: SimpleNamespace(discover=lambda: found))


@pytest.mark.usefixtures("known")
def test_path_of_a_cluster_is_that_of_the_workspace_that_its_host_names():
    target = resolve(environ={}, host="https://127.0.0.1:1", cluster_id="c-1")
    found = with_workspace(target)
    assert (found.workspace_id, found.account_id) == ("123", "an-account")
    assert sql_path(target) == "/sql/protocolv1/o/123/c-1"
