"""Sixteen worker processes, forked from one as an executor does, released together; says what each found.

Where ``WORKERS_HOMES`` names a directory, each has a home of its own in it, as on a host of its own.
"""

import json
import multiprocessing
import os
import sys

# Loaded once, here, and not sixteen times: what is measured begins after the fork.
import databricks.sql.client  # noqa: F401
import pyarrow as pa  # noqa: F401
from airflow.providers_manager import ProvidersManager
from airflow.sdk.lineage import get_hook_lineage_collector

import lakekey.sql.connection  # noqa: F401
from lakekey.airflow import LakekeyDatabricksHook, LakekeyDatabricksSqlHook

WORKERS = 16


def work(number, start, answers):
    homes = os.environ.get("WORKERS_HOMES")
    if homes:
        os.environ["HOME"] = home = os.path.join(homes, f"host-{number}")
        os.environ["LAKEKEY_CACHE_DIR"] = os.path.join(home, "cache")
        os.mkdir(home, 0o700)
    start.wait()
    try:
        told = LakekeyDatabricksHook("lakehouse").test_connection()
        ((user,),) = LakekeyDatabricksSqlHook("lakehouse").get_records("select current_user()")
        answers.put([*told, user])
    except Exception as error:
        answers.put([False, repr(error), None])


def main():
    assert ProvidersManager().hooks["databricks"] is not None
    get_hook_lineage_collector()
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(WORKERS), fork.Queue()
    workers = [fork.Process(target=work, args=(number, start, answers)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=100) for _ in workers]
    for worker in workers:
        worker.join()
    json.dump(found, sys.__stderr__)


main()
