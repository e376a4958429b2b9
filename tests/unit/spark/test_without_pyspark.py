"""lakekey.spark where pyspark is not installed, as in the environment of these tests."""

import pytest

import lakekey
from lakekey.errors import ConfigurationError

SETTINGS = {"host": "https://w.cloud.databricks.com", "client_id": "sp", "client_secret": "s3cret-of-the-principal"}


def test_a_missing_pyspark_is_said_with_the_command_that_installs_it():
    with pytest.raises(ConfigurationError) as caught:
        lakekey.spark.channel_builder(**SETTINGS, cluster_id="c")
    assert "lakekey[spark]" in caught.value.hint


def test_an_option_that_nobody_knows_is_refused():
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
