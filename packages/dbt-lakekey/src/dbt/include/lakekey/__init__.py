"""Where dbt finds the macros: there are none of our own, all are dbt-databricks'."""

import os

PACKAGE_PATH = os.path.dirname(__file__)
