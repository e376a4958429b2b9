"""DAGs for the tests of a whole Airflow: one that gives everything away, and one without any configuration."""

import logging
from datetime import UTC, datetime

from airflow.providers.databricks.operators.databricks_sql import DatabricksSqlOperator
from airflow.sdk import DAG, task

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@task
def give_away():
    """Prints what it should not: the log has to mask it."""
    from lakekey.airflow import LakekeyDatabricksHook

    hook = LakekeyDatabricksHook("lakehouse")
    logging.getLogger("careless").warning("the token is >%s<", hook.provider.token().access_token)
    print(f"the header is >{hook.provider.headers()['Authorization']}<")
    print(f"the secret is >{hook.provider.target.client_secret}<")


with DAG("careless", schedule=None, start_date=BEGINNING, catchup=False):
    give_away()

with DAG("unconfigured", schedule=None, start_date=BEGINNING, catchup=False):
    DatabricksSqlOperator(task_id="query", databricks_conn_id="person", sql="select 1")
