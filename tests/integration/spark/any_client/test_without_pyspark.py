"""lakekey.spark where pyspark is not installed, and where classic Spark runs as well."""

import os
import sys

import pytest

import lakekey
from lakekey.errors import ConfigurationError

MODE = "SPARK_CONNECT_MODE_ENABLED"
SETTINGS = {"host": "https://w.cloud.databricks.com", "client_id": "sp", "client_secret": "s3cret-of-the-principal"}


def test_a_missing_pyspark_is_reported_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql.connect.client", None)
    with pytest.raises(ConfigurationError) as caught:
        lakekey.spark.channel_builder(**SETTINGS, cluster_id="c")
    assert "lakekey[spark]" in caught.value.hint


def test_unknown_option_is_refused():
    with pytest.raises(ConfigurationError, match="'colour'"):
        lakekey.spark.channel_builder(**SETTINGS, cluster_id="c", colour="red")


class Context:
    """Classic Spark's context, of which a process may run one."""

    def __init__(self, active):
        self.SparkContext = self
        self._active_spark_context = active


@pytest.mark.parametrize("module", ["pyspark.core.context", "pyspark.context"])
@pytest.mark.parametrize(("active", "mode"), [(None, "1"), ("a context", None)])
def test_functions_make_connect_columns_unless_classic_spark_runs_here(monkeypatch, module, active, mode):
    monkeypatch.setenv(MODE, "")  # so that it is put back
    monkeypatch.delenv(MODE)
    monkeypatch.setitem(sys.modules, module, Context(active))
    lakekey.spark._connect_mode()
    assert os.environ.get(MODE) == mode


def test_mode_that_is_set_is_left_alone(monkeypatch):
    monkeypatch.setenv(MODE, "0")
    lakekey.spark._connect_mode()
    assert os.environ[MODE] == "0"
