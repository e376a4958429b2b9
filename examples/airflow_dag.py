r"""A DAG of the Databricks provider's own operators, signed in by lakekey.

Nothing here is lakekey's: all that it takes is a connection of the type ``lakekey_databricks``. Make it with::

    airflow connections add lakehouse --conn-type lakekey_databricks \
        --conn-host https://<workspace> --conn-login <application id> --conn-password <OAuth secret> \
        --conn-extra '{"warehouse_id": "<id>"}'
"""

from datetime import UTC, datetime

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.databricks.operators.databricks import (
    DatabricksCreateJobsOperator,
    DatabricksRunNowOperator,
    DatabricksSubmitRunOperator,
)
from airflow.providers.databricks.operators.databricks_sql import DatabricksSqlOperator
from airflow.sdk import DAG

CONNECTION = "lakehouse"
NOTEBOOK = {"notebook_path": "/Shared/nightly"}

with DAG("lakekey_example", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    load = DatabricksSqlOperator(
        task_id="load",
        databricks_conn_id=CONNECTION,
        sql=[
            "create or replace table visits as select * from values (1, 'ada'), (2, 'grace') as t(id, visitor)",
            "select count(*) as visits from visits",
        ],
    )
    report = SQLExecuteQueryOperator(
        task_id="report",
        conn_id=CONNECTION,
        sql="select visitor, current_user() as reader from visits order by visitor",
    )
    once = DatabricksSubmitRunOperator(
        task_id="once",
        databricks_conn_id=CONNECTION,
        tasks=[{"task_key": "nightly", "notebook_task": NOTEBOOK}],
        polling_period_seconds=1,
    )
    define = DatabricksCreateJobsOperator(
        task_id="define",
        databricks_conn_id=CONNECTION,
        json={"name": "nightly", "tasks": [{"task_key": "nightly", "notebook_task": NOTEBOOK}]},
    )
    # Waits in the triggerer, whose asynchronous calls are signed in too.
    nightly = DatabricksRunNowOperator(
        task_id="nightly",
        databricks_conn_id=CONNECTION,
        job_id="{{ ti.xcom_pull(task_ids='define') }}",
        deferrable=True,
        polling_period_seconds=1,
    )
    load >> report >> once >> define >> nightly
