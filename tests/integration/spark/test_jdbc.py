"""JDBC options reach the driver as classic Spark hands them on."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import lakekey
from support.servers.jdbc_driver import compiled_driver

_CLASSIC = """
import json, sys

from pyspark.sql import SparkSession

asked = json.load(sys.stdin)
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
for name in ("spark.driver.host", "spark.driver.bindAddress"):
    builder = builder.config(name, "127.0.0.1")
spark = builder.config("spark.driver.extraClassPath", asked["classes"]).getOrCreate()
for options in asked["options"]:
    try:
        spark.read.format("jdbc").options(**options).load()
    except Exception as error:
        assert "FAILED_JDBC" in str(error), error
spark.stop()
"""


def test_the_driver_gets_a_principals_secret_or_a_persons_token(principal, person, workspace, tmp_path):
    ada = person()
    options = [
        lakekey.spark.jdbc_options(who, http_path="/sql/1.0/warehouses/1", dbtable="t") for who in (principal, ada)
    ]

    (url, machine), (_, human) = driver_given(options, tmp_path)

    assert url == f"jdbc:databricks://127.0.0.1:{principal.target.host.rpartition(':')[2]}"
    assert (machine["AuthMech"], machine["Auth_Flow"]) == ("11", "1")
    assert (machine["OAuth2ClientId"], machine["OAuth2Secret"]) == (workspace.client_id, workspace.client_secret)
    assert machine["httpPath"] == "/sql/1.0/warehouses/1"
    assert (human["Auth_Flow"], human["Auth_AccessToken"]) == ("0", ada.token().access_token)


def test_the_example_of_the_page_reaches_the_driver(principal, workspace, front, tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "guides" / "spark.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (example,) = [block for block in blocks if "jdbc_options" in block]
    configuration, record = tmp_path / "databrickscfg", tmp_path / "record"
    configuration.write_text(
        f"[prod]\nhost = {front.host}\nca_file = {front.ca_file}\nhttp_path = /sql/1.0/warehouses/1\n"
        f"client_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    )
    subprocess.run(
        [sys.executable, "-c", example.replace('"prod",', f'"prod", recordTo={str(record)!r},')],
        env={
            **os.environ,
            "DATABRICKS_CONFIG_FILE": str(configuration),
            "PYSPARK_SUBMIT_ARGS": f"--driver-class-path {compiled_driver(tmp_path)} --master local[1] pyspark-shell",
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,  # the driver only writes down what it was given
    )
    url, *properties = record.read_text().splitlines()
    assert url.startswith("jdbc:databricks://127.0.0.1:")
    assert f"OAuth2ClientId={workspace.client_id}" in properties


def driver_given(options, directory):
    """What the driver is given for each of some options: the URL and the properties."""
    records = [directory / f"record-{number}" for number in range(len(options))]
    asked = {
        "classes": str(compiled_driver(directory)),
        "options": [{**given, "recordTo": str(record)} for given, record in zip(options, records, strict=True)],
    }
    subprocess.run(
        [sys.executable, "-c", _CLASSIC],
        input=json.dumps(asked),
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    for record in records:
        url, *properties = record.read_text().splitlines()
        yield url, dict(line.split("=", 1) for line in properties)
