"""The dbt adapter ``lakekey``: dbt-databricks, with lakekey for the sign-in."""

from dbt.adapters.base import AdapterPlugin
from dbt.adapters.lakekey.credentials import LakekeyCredentials
from dbt.adapters.lakekey.impl import LakekeyAdapter
from dbt.include import lakekey

Plugin = AdapterPlugin(
    adapter=LakekeyAdapter,
    credentials=LakekeyCredentials,
    include_path=lakekey.PACKAGE_PATH,
    dependencies=["databricks"],
)
