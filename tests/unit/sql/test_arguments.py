"""What the connectors are told of a target."""

from types import SimpleNamespace

import pytest

import lakekey
from lakekey._hosts import routed_path
from lakekey.configuration.target import resolve
from lakekey.errors import LockTimeout, LoginRequired
from lakekey.sql import arguments as sql_arguments
from lakekey.sql import connect_arguments
from lakekey.sql.arguments import TokenTracker, warn_of_workspace
from support.told_provider import ToldProvider

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
def test_workspace_id_none_means_no_workspace(none):
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


@pytest.mark.parametrize(("pass_through", "name"), [(False, "Authorization"), (True, "authorization")])
def test_connector_gets_the_whole_sign_in_and_the_name_that_it_hands_on_only_if_asked(pass_through, name):
    """In lower case, it goes past the connector's own cache of the token."""
    provider = ToldProvider("one")
    provider.more = {"X-Cloud": "two"}
    assert TokenTracker(provider, pass_through=pass_through)()() == {name: "Bearer one", "X-Cloud": "two"}
    assert "Authorization" in TokenTracker(provider)()()


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
def test_token_that_was_handed_out_last_is_the_one_that_served_or_was_refused(scheme):
    provider = ToldProvider("one", "two", "three")
    provider.scheme = scheme
    tracker = TokenTracker(provider)
    headers = tracker()
    assert tracker.token == ""
    headers()
    provider.renew()
    headers()
    tracker.served()
    assert tracker.invalidate() is True
    tracker.served()
    assert provider.told == ["served two", "refused two", "served two"], "the connector has no other one yet"


@pytest.mark.parametrize("has_not_run", [True, False])
@pytest.mark.parametrize("tokens", [["one", "two"], ["one"]])
def test_whether_there_is_another_token_is_reported(tokens, has_not_run):
    assert TokenTracker(ToldProvider(*tokens)).renewed(has_not_run=has_not_run) is (len(tokens) > 1)


def test_why_there_is_no_other_token_is_reported_only_where_the_statement_has_not_run():
    provider = ToldProvider("one")
    provider.trouble = LoginRequired("sign in")
    tracker = TokenTracker(provider)
    with pytest.raises(LoginRequired):
        tracker.renewed(has_not_run=True)
    assert tracker.renewed(has_not_run=False) is False


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"host": "https://new.example.com"}, True),
        ({"host": "https://new.example.com/?o=22"}, False),
        ({"host": "https://new.example.com", "workspace_id": "none"}, False),
        ({"host": "https://old.example.com"}, False),
        ({}, False),
    ],
)
def test_workspace_that_is_of_another_host_is_warned_of_once_and_nothing_else_is(
    tmp_path, monkeypatch, caplog, settings, warned
):
    monkeypatch.setattr(sql_arguments, "_SAID", set())
    file = tmp_path / "profiles"
    text = "[prod]\nhost = https://old.example.com\nworkspace_id = 11\nclient_id = app\nclient_secret = dose-of-app\n"
    file.write_text(text, encoding="utf-8")
    target = resolve("prod", {"DATABRICKS_CONFIG_FILE": str(file)}, **settings)
    warn_of_workspace(target)
    warn_of_workspace(target)
    said = (
        "prod: workspace_id (profile) does not count: it stands beside another host than https://new.example.com; "
        "give that host with ?o="
    )
    assert [record.getMessage() for record in caplog.records] == ([said] if warned else [])


def test_connect_warns_of_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sql_arguments, "_SAID", set())
    file = tmp_path / "profiles"
    file.write_text(
        "[prod]\nhost = https://old.example.com/?o=11\nclient_id = app\nclient_secret = dose-of-app\n", encoding="utf-8"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    with pytest.raises(lakekey.ConfigurationError, match="there is no http_path"):
        lakekey.sql.connect("prod", host="https://new.example.com")
    assert "workspace_id (profile) does not count" in caplog.text


def test_code_inside_a_renewal_learns_at_once_that_no_token_is_live(monkeypatch):
    def headers():
        raise LockTimeout("a renewal is under way")

    tracker = TokenTracker(SimpleNamespace(headers=headers))
    tracker.check()
    monkeypatch.setattr(sql_arguments, "inside", lambda: True)
    with pytest.raises(LockTimeout):
        tracker.check()
