"""Options for the JDBC driver: where to, and how they sign in."""

import pickle
from datetime import UTC, datetime

import pytest

import lakekey
from lakekey import ConfigurationError, Provider
from lakekey.configuration.target import resolve
from lakekey.providers.token import Token
from lakekey.spark.jdbc import jdbc_options

HOST = "https://acme.cloud.databricks.com"
ROBOT = {"client_id": "robot", "client_secret": "dose-of-a-principal"}
FIXED = {"Auth_Flow": "0", "Auth_AccessToken": "the token"}


class Fixed:
    """A source with one token."""

    def __init__(self, source):
        self.target, self.headers = source.target, source.headers

    def token(self):
        return Token("the token", "Bearer", datetime(2030, 1, 1, tzinfo=UTC), ())


def options_of(host=HOST, *, rest=None, **settings):
    settings.setdefault("warehouse_id", "w")
    return jdbc_options(Provider(resolve(environ={}, host=host, **settings), around=Fixed), **(rest or {}))


def signed_in_by(options):
    return {name: options[name] for name in options if name.startswith(("Auth_", "OAuth2"))}


def test_service_principal_is_handed_to_the_driver():
    assert signed_in_by(options_of(**ROBOT)) == {
        "Auth_Flow": "1", "OAuth2ClientId": "robot", "OAuth2Secret": "dose-of-a-principal"
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [{}, {**ROBOT, "group_id": "auditors"}, {**ROBOT, "authorization_details": '[{"type": "workspace_permission"}]'}],
    ids=["a person", "a group's role", "details"],
)
def test_what_the_driver_could_not_ask_for_has_a_fixed_token(settings):
    assert signed_in_by(options_of(**settings)) == FIXED


@pytest.mark.parametrize(("host", "port"), [(HOST, 443), (f"{HOST}:8443", 8443)])
def test_address_names_the_port(host, port):
    assert options_of(host)["url"] == f"jdbc:databricks://acme.cloud.databricks.com:{port}"


def test_catalog_and_schema_are_the_callers_or_else_the_targets():
    of_target = options_of(catalog="main", schema="sales")
    assert (of_target["ConnCatalog"], of_target["ConnSchema"]) == ("main", "sales")
    of_caller = options_of(catalog="main", rest={"catalog": "dev", "http_path": "/other", "dbtable": 7})
    assert (of_caller["ConnCatalog"], of_caller["httpPath"], of_caller["dbtable"]) == ("dev", "/other", "7")
    assert not {"ConnSchema", "catalog", "http_path"} & set(of_caller)


def test_repr_hides_the_secrets_and_nothing_else():
    for options, secret in ((options_of(**ROBOT), "dose-of-a-principal"), (options_of(), "the token")):
        assert secret in options.values()
        assert secret not in repr(options)
        assert HOST.removeprefix("https://") in repr(options)


def test_options_of_an_unpickled_provider_have_the_secret_of_the_machine_or_none_at_all(monkeypatch):
    there = pickle.loads(pickle.dumps(lakekey.provider(host=HOST, warehouse_id="w", **ROBOT)))
    with pytest.raises(ConfigurationError, match="pickles do not carry it"):
        jdbc_options(there)

    for name, value in {"host": HOST, **ROBOT}.items():
        monkeypatch.setenv(f"DATABRICKS_{name.upper()}", value)
    assert jdbc_options(there)["OAuth2Secret"] == "dose-of-a-principal"


def test_without_a_warehouse_there_is_nowhere_to_connect_to():
    with pytest.raises(ConfigurationError, match="http_path"):
        options_of(warehouse_id=None)
