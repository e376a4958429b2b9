"""lakekey.spark where pyspark is not installed, as in the environment of these tests."""

import pickle

import pytest

import lakekey
from lakekey.errors import ConfigurationError
from lakekey.sandbox import Sandbox

SETTINGS = {"host": "https://w.cloud.databricks.com", "client_id": "sp", "client_secret": "s3cret-of-the-principal"}


def test_a_missing_pyspark_is_said_with_the_command_that_installs_it():
    with pytest.raises(ConfigurationError) as caught:
        lakekey.spark.channel_builder(**SETTINGS, cluster_id="c")
    assert "lakekey[spark]" in caught.value.hint


def test_unknown_option_is_refused():
    with pytest.raises(ConfigurationError, match="'colour'"):
        lakekey.spark.channel_builder(**SETTINGS, cluster_id="c", colour="red")


def test_jdbc_options_show_no_secret_when_they_are_printed():
    options = lakekey.spark.jdbc_options(**SETTINGS, warehouse_id="1", schema="sales", query="select 1")

    assert options["OAuth2Secret"] == SETTINGS["client_secret"]
    assert SETTINGS["client_secret"] not in f"{options} {options!r}"
    assert SETTINGS["client_secret"] not in options["url"]
    assert options["ConnSchema"] == "sales"
    assert options["query"] == "select 1"


def test_jdbc_needs_a_warehouse():
    with pytest.raises(ConfigurationError, match="http_path"):
        lakekey.spark.jdbc_options(**SETTINGS)


@pytest.mark.parametrize("more", [{"group_id": "123"}, {"authorization_details": '[{"type": "unity_catalog"}]'}])
def test_jdbc_has_a_token_where_the_driver_could_not_ask_for_the_same_rights(more):
    with Sandbox() as box:
        principal = lakekey.provider(
            host=box.host, client_id=box.client_id, client_secret=box.client_secret, ca_file=box.ca_file, **more
        )
        options = lakekey.spark.jdbc_options(principal, http_path="/sql/1.0/warehouses/1")

        assert (options["Auth_Flow"], options["Auth_AccessToken"]) == ("0", principal.token().access_token)
        assert "OAuth2Secret" not in options


def test_jdbc_options_of_an_unpickled_provider_have_the_secret_of_the_machine_or_none_at_all(monkeypatch):
    there = pickle.loads(pickle.dumps(lakekey.provider(**SETTINGS, warehouse_id="1")))
    with pytest.raises(ConfigurationError, match="pickling"):
        lakekey.spark.jdbc_options(there)

    monkeypatch.setenv("DATABRICKS_HOST", SETTINGS["host"])
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", SETTINGS["client_id"])
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", SETTINGS["client_secret"])
    assert lakekey.spark.jdbc_options(there)["OAuth2Secret"] == SETTINGS["client_secret"]
