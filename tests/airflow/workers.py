"""Sixteen worker processes, forked from one as an executor does, released together; says what each found."""

import json
import multiprocessing
import sys

from lakekey.airflow import LakekeyDatabricksHook, LakekeyDatabricksSqlHook

WORKERS = 16


def work(start, answers):
    start.wait()
    try:
        told = LakekeyDatabricksHook("lakehouse").test_connection()
        ((user,),) = LakekeyDatabricksSqlHook("lakehouse").get_records("select current_user()")
        answers.put([*told, user])
    except Exception as error:
        answers.put([False, repr(error), None])


def main():
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(WORKERS), fork.Queue()
    workers = [fork.Process(target=work, args=(start, answers)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=100) for _ in workers]
    for worker in workers:
        worker.join()
    json.dump(found, sys.__stderr__)


main()
