"""The DuckDB engine: one database in memory for all sessions, one connection for each."""

import threading
from collections.abc import Mapping

import duckdb

from lakekey_sandbox.warehouse import duckdb_functions, duckdb_samples
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_constraints import Constraints
from lakekey_sandbox.warehouse.duckdb_dialect import USER_VARIABLE
from lakekey_sandbox.warehouse.duckdb_names import DEFAULT_CATALOG, DEFAULT_SCHEMA, PREFIX, quoted, text
from lakekey_sandbox.warehouse.duckdb_session import DuckDBSession
from lakekey_sandbox.warehouse.duckdb_settings import Settings

# No statement reaches files, the network or Python's variables; a big result does not spill into the user's
# working directory; a division by zero is an error, as on Databricks.
_CONFIGURATION = {
    "ieee_floating_point_ops": "false",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
}
_CATALOGS = (DEFAULT_CATALOG, "hive_metastore")


class DuckDBEngine:
    """Databricks SQL on DuckDB, translated by sqlglot.

    It starts with the catalogs ``main`` and ``hive_metastore``, each with an empty schema ``default``, and with
    ``samples``, which holds a few rows of ``nyctaxi.trips``.
    """

    def __init__(self) -> None:
        self._database = duckdb.connect(":memory:", config=dict(_CONFIGURATION))
        self._lock = threading.Lock()
        for catalog in _CATALOGS:
            self._database.execute(f"ATTACH ':memory:' AS {quoted(PREFIX + catalog)}")
            self._database.execute(f"CREATE SCHEMA {quoted(PREFIX + catalog)}.{quoted(DEFAULT_SCHEMA)}")
        duckdb_functions.create(self._database)
        duckdb_samples.create(self._database)
        self._constraints = Constraints()
        self._database.execute("SET enable_external_access = false")

    def open_session(
        self, subject: str, catalog: str | None, schema: str | None, configuration: Mapping[str, str]
    ) -> DuckDBSession:
        """Open a session: see ``Engine.open_session``."""
        with self._lock:
            connection = self._database.cursor()
        try:
            settings = Settings(connection, configuration)
            connection.execute(f"SET VARIABLE {USER_VARIABLE} = {text(subject)}")
            place = Catalog(connection, self._constraints)
            place.begin_in(catalog or DEFAULT_CATALOG, schema or DEFAULT_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return DuckDBSession(connection, place, settings)

    def close(self) -> None:
        """Free the tables."""
        with self._lock:
            self._database.close()
