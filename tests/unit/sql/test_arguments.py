"""What the connectors are told of a target."""

import logging

import pytest

import lakekey
from lakekey._hosts import routed_path
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.sql import connect_arguments

WAREHOUSE = "/sql/1.0/warehouses/w"


@pytest.mark.parametrize(
    ("path", "routed"),
    [
        (WAREHOUSE, f"{WAREHOUSE}?o=42"),
        (f"{WAREHOUSE}?o=7", f"{WAREHOUSE}?o=7"),
        (f"{WAREHOUSE}?a=b", f"{WAREHOUSE}?a=b&o=42"),
        (f"{WAREHOUSE}?a=b&o=7", f"{WAREHOUSE}?a=b&o=7"),
        (f"{WAREHOUSE}?foo=7", f"{WAREHOUSE}?foo=7&o=42"),
        ("/sql/protocolv1/o/7/c", "/sql/protocolv1/o/7/c"),
        ("sql/protocolv1/o/7/c", "sql/protocolv1/o/7/c"),
    ],
)
def test_path_says_once_which_workspace_it_is_in(path, routed):
    assert routed_path(path, "42") == routed
    assert routed_path(path, None) == path


def unified(**settings):
    return resolve(environ={}, host="https://acme.databricks.com", warehouse_id="w", **settings)


def test_sql_connections_of_a_known_workspace_are_routed():
    from databricks.sql.session import Session

    arguments = connect_arguments(unified(workspace_id="42"))
    assert arguments["http_path"] == f"{WAREHOUSE}?o=42"
    assert Session._extract_spog_headers(arguments["http_path"], []) == {"x-databricks-org-id": "42"}
    assert connect_arguments(unified(workspace_id="42"), "/other")["http_path"] == "/other?o=42"


@pytest.mark.parametrize("none", ["none", "None", "NONE"])
def test_workspace_none_is_none(none):
    assert unified(workspace_id=none).workspace_id is None
    assert connect_arguments(unified(workspace_id=none))["http_path"] == WAREHOUSE


def test_jdbc_options_of_a_known_workspace_are_routed():
    provider = lakekey.provider(
        host="https://acme.databricks.com", warehouse_id="w", workspace_id="42", client_id="c", client_secret="s"
    )
    assert lakekey.spark.jdbc_options(provider)["httpPath"] == f"{WAREHOUSE}?o=42"


def test_engines_of_a_known_workspace_are_routed():
    engine = lakekey.sqlalchemy.create_engine(
        host="https://acme.databricks.com", warehouse_id="w", workspace_id="42", client_id="c", client_secret="s"
    )
    assert engine.url.query["http_path"] == f"{WAREHOUSE}?o=42"


def test_what_the_target_says_reaches_the_connector_and_nothing_else():
    told = connect_arguments(resolve(environ={}, host="https://acme.databricks.com", warehouse_id="w"))
    assert told == {"server_hostname": "acme.databricks.com", "http_path": WAREHOUSE}
    settings = {"warehouse_id": "w", "ca_file": "/etc/ca.pem", "catalog": "main", "schema": "sales"}
    assert connect_arguments(resolve(environ={}, host="https://acme.databricks.com:8443", **settings)) == {
        "server_hostname": "acme.databricks.com:8443",
        "http_path": WAREHOUSE,
        "_connection_uri": f"https://acme.databricks.com:8443{WAREHOUSE}",
        "_tls_trusted_ca_file": "/etc/ca.pem",
        "catalog": "main",
        "schema": "sales",
    }


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
            assert connect_arguments(target, path)["http_path"] == (path or WAREHOUSE)
        else:
            with pytest.raises(ConfigurationError, match="http_path"):
                connect_arguments(target, path)
    assert ("workspace is not known" in caplog.text) is asks
