"""What the connectors are told of a target."""

import pytest

import lakekey
from lakekey._hosts import routed_path
from lakekey.configuration.target import resolve
from lakekey.errors import LoginRequired
from lakekey.sql import connect_arguments
from lakekey.sql.arguments import Handing

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


class Signs:
    """What a connection's headers come from; it notes what it is told of their tokens."""

    def __init__(self, *, other=True):
        self.sent = {"Authorization": "Bearer one", "X-Cloud": "two"}
        self.other = other
        self.told = []

    def headers(self):
        return dict(self.sent)

    def served(self, token):
        self.told.append(("served", token))

    def invalidate(self, token):
        self.told.append(("refused", token))
        if isinstance(self.other, Exception):
            raise self.other
        return self.other


@pytest.mark.parametrize(("pass_through", "name"), [(False, "Authorization"), (True, "authorization")])
def test_connector_gets_the_whole_sign_in_and_the_name_that_it_hands_on_only_if_asked(pass_through, name):
    """In lower case, it goes past the connector's own cache of the token."""
    assert Handing(Signs(), pass_through=pass_through)()() == {name: "Bearer one", "X-Cloud": "two"}
    assert "Authorization" in Handing(Signs())()()


def test_token_that_was_handed_out_last_is_the_one_that_served_or_was_refused():
    signs = Signs()
    handing = Handing(signs)
    headers = handing()
    assert handing.token == ""
    for sent in ("Bearer one", "Basic two"):
        signs.sent["Authorization"] = sent
        headers()
    signs.sent["Authorization"] = "Bearer newer"
    handing.served()
    assert handing.invalidate() is True
    assert signs.told == [("served", "two"), ("refused", "two")]


@pytest.mark.parametrize("has_not_run", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_whether_there_is_another_token_is_said(other, has_not_run):
    assert Handing(Signs(other=other)).renewed(has_not_run=has_not_run) is other


def test_why_there_is_no_other_token_is_said_only_where_the_statement_has_not_run():
    handing = Handing(Signs(other=LoginRequired("sign in")))
    with pytest.raises(LoginRequired):
        handing.renewed(has_not_run=True)
    assert handing.renewed(has_not_run=False) is False
