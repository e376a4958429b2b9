"""JDBC options reach the driver as Spark hands them on."""

import re

import pytest
from pyspark.errors import PySparkException

import lakekey


@pytest.fixture
def driver_given(principal, connect):
    """What the driver was given for some options: the URL and the properties."""

    def ask(options):
        spark = connect(principal)
        with pytest.raises(PySparkException) as caught:
            spark.read.format("jdbc").options(**options).load().collect()
        url, properties = re.search(r"DRIVER GOT (\S+) \{(.*?)\} END", str(caught.value), re.DOTALL).groups()
        return url, dict(pair.split("=", 1) for pair in properties.split(", "))

    return ask


def test_a_service_principal_is_handed_to_the_driver(principal, driver_given, workspace):
    options = lakekey.spark.jdbc_options(principal, http_path="/sql/1.0/warehouses/1", dbtable="t")

    url, properties = driver_given(options)

    assert url == f"jdbc:databricks://127.0.0.1:{principal.target.host.rpartition(':')[2]}"
    assert properties["AuthMech"] == "11"
    assert properties["Auth_Flow"] == "1"
    assert properties["OAuth2ClientId"] == workspace.client_id
    assert properties["OAuth2Secret"] == workspace.client_secret
    assert properties["httpPath"] == "/sql/1.0/warehouses/1"


def test_a_persons_token_is_passed_through(person, driver_given):
    ada = person()

    _, properties = driver_given(lakekey.spark.jdbc_options(ada, http_path="/sql/1.0/warehouses/1", dbtable="t"))

    assert properties["Auth_Flow"] == "0"
    assert properties["Auth_AccessToken"] == ada.token().access_token
