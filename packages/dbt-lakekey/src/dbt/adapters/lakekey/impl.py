"""The adapter and its connections: dbt-databricks' own, under another name."""

from dbt.adapters.databricks.connections import DatabricksConnectionManager
from dbt.adapters.databricks.impl import DatabricksAdapter


class LakekeyConnectionManager(DatabricksConnectionManager):
    """dbt-databricks' connections."""

    TYPE = "lakekey"


class LakekeyAdapter(DatabricksAdapter):
    """dbt-databricks' adapter. dbt finds its macros by this class's name, and then by its dependency's."""

    ConnectionManager = LakekeyConnectionManager
