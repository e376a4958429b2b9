"""The catalog ``samples`` of every workspace, with a few invented rows of its best known table."""

import duckdb

from lakekey_sandbox.warehouse.duckdb_names import PREFIX, quoted

CATALOG = "samples"
_TRIPS = """SELECT
    TIMESTAMPTZ '2016-02-14 00:00:00+00' + to_minutes(CAST(37 * i AS BIGINT)) AS tpep_pickup_datetime,
    TIMESTAMPTZ '2016-02-14 00:00:00+00' + to_minutes(CAST(37 * i + 5 + i % 23 AS BIGINT)) AS tpep_dropoff_datetime,
    CAST(round(0.8 + (i % 23) * 0.3, 2) AS DOUBLE) AS trip_distance,
    CAST(4.5 + (i % 23) AS DOUBLE) AS fare_amount,
    CAST(10001 + i % 40 AS INTEGER) AS pickup_zip,
    CAST(10001 + i * 7 % 40 AS INTEGER) AS dropoff_zip
    FROM range(100) AS numbers(i)"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the catalog.

    Args:
        connection: Any connection to the database.
    """
    place = quoted(PREFIX + CATALOG)
    connection.execute(f"ATTACH ':memory:' AS {place}")
    connection.execute(f"CREATE SCHEMA {place}.nyctaxi")
    connection.execute(f"CREATE TABLE {place}.nyctaxi.trips AS {_TRIPS}")
