"""Real Spark SQL: a Spark session in this process."""

import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql import types as spark_types

from lakekey_sandbox.warehouse.arrow_types import INTERVAL_KEY, VARIANT, spark_column
from lakekey_sandbox.warehouse.engine import Parameter, Relation, Result, Ticket, rows
from lakekey_sandbox.warehouse.errors import SqlError, cancelled
from lakekey_sandbox.warehouse.spark_tables import NOTE
from lakekey_sandbox.warehouse.spark_text import CATALOG, SPARK_CATALOG, first_words, prepare

_CONFIGURATION = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "OFF",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_INTERVALS = {
    spark_types.DayTimeIntervalType: "INTERVAL DAY TO SECOND",
    spark_types.YearMonthIntervalType: "INTERVAL YEAR TO MONTH",
}
# These write every failed statement to the standard error, though the client is told.
_LOUD = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")


class SparkEngine:
    """Spark SQL in a JVM beside this process, listening on loopback only.

    A Spark context that the program has already is used, and left running at the end. Spark's one catalog is
    ``hive_metastore`` to the client.
    """

    def __init__(self) -> None:
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._directory: str | None = None
        builder = SparkSession.builder
        if SparkContext._active_spark_context is None:  # noqa: SLF001 - there is no public way to ask
            self._directory = tempfile.mkdtemp(prefix="lakekey-warehouse-")
            builder = builder.master("local[2]").appName("lakekey sandbox")
            for key, value in _CONFIGURATION.items():
                builder = builder.config(key, value)
            builder = builder.config("spark.sql.warehouse.dir", self._directory)
        self._spark = builder.getOrCreate()
        self._lock = threading.Lock()

    def open_session(
        self, subject: str, catalog: str | None, schema: str | None, configuration: Mapping[str, str]
    ) -> "SparkEngineSession":
        """Open a session: see ``Engine.open_session``."""
        if catalog not in (None, CATALOG, SPARK_CATALOG):
            raise SqlError("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{catalog}' was not found.", "42704")
        with self._lock:
            session = SparkEngineSession(self._spark.newSession(), subject)
        for key, value in configuration.items():
            if key.startswith("spark.sql."):
                session.execute(f"SET {key}={value}", (), None)
        # A session may begin in a schema that is not there yet: dbt opens one, and then creates it.
        if schema and self._spark.catalog.databaseExists(schema):
            name = schema.replace("`", "``")
            session.execute(f"USE `{name}`", (), None)
        return session

    def close(self) -> None:
        """Stop Spark, if it was started here, and remove its tables."""
        if self._directory is not None:
            self._spark.stop()
            shutil.rmtree(self._directory, ignore_errors=True)


class SparkEngineSession:
    """A Spark session: its own temporary views, current schema and settings; tables are shared.

    Args:
        spark: The session.
        subject: Who ``current_user()`` is.
    """

    def __init__(self, spark: SparkSession, subject: str) -> None:
        self._spark = spark
        self._subject = subject

    def _identify(self, ticket: Ticket | None) -> None:
        """Make this thread's work the subject's, and give it a name to be cancelled by.

        Spark's analyzer asks ``CurrentUserContext`` whenever it meets ``current_user``, ``user`` or
        ``session_user``, in a stored view too: nothing of the statement has to be rewritten.
        """
        context = self._spark.sparkContext
        jvm = self._spark._jvm  # noqa: SLF001 - pyspark's only way to the JVM
        jvm.org.apache.spark.sql.catalyst.CurrentUserContext.CURRENT_USER().set(self._subject)
        context.setJobGroup(ticket.name if ticket else "lakekey", "lakekey sandbox", interruptOnCancel=True)

    def execute(self, statement: str, parameters: Sequence[Parameter], ticket: Ticket | None) -> Result:
        """Run one statement: see ``EngineSession.execute``."""
        try:
            self._identify(ticket)
            if ticket is not None and ticket.cancelled:
                raise cancelled()
            texts, arguments = prepare(statement, parameters)
            frame = self._spark.sql(texts[0], args=arguments)
            for text in texts[1:]:
                self._spark.sql(text)
            if first_words(statement)[:1] == ["INSERT"]:
                return _inserted(frame)
            return Result(_table(frame))
        except PySparkException as error:
            raise _translated(error) from error

    def interrupt(self, ticket: Ticket) -> bool:
        """Stop a run: see ``EngineSession.interrupt``."""
        context = self._spark.sparkContext
        # The jobs to come too: a statement that is still being planned has none yet.
        context._jsc.sc().cancelJobGroupAndFutureJobs(ticket.name)  # noqa: SLF001
        return True

    def _rows(self, statement: str) -> list[Any]:
        self._identify(None)
        try:
            return list(self._spark.sql(statement).collect())
        except PySparkException as error:
            raise _translated(error) from error

    def catalogs(self) -> list[str]:
        """The one catalog."""
        return [CATALOG]

    def schemas(self) -> list[tuple[str, str]]:
        """The schemas as (catalog, schema), sorted."""
        return sorted((CATALOG, row[0]) for row in self._rows("SHOW SCHEMAS"))

    def relations(self) -> list[Relation]:
        """Tables and views, with the session's temporary views first."""
        found = set()
        for catalog, schema in self.schemas():
            place = f"`{schema}`"
            views = {row["viewName"] for row in self._rows(f"SHOW VIEWS IN {place}")}
            for row in self._rows(f"SHOW TABLES IN {place}"):
                kind = "VIEW" if row["tableName"] in views else "TABLE"
                owner = ("", "") if row["isTemporary"] else (catalog, schema)
                found.add(Relation(*owner, row["tableName"], kind))
        return sorted(found)

    def columns(self, relation: Relation) -> pa.Schema:
        """The columns of a table or view; those of a view that no longer works are none."""
        self._identify(None)
        parts = [part for part in (relation.schema, relation.name) if part]
        try:
            frame = self._spark.table(".".join(f"`{part}`" for part in parts))
            return _table(frame.limit(0)).schema
        except PySparkException:
            return pa.schema([])

    def primary_key(self, _relation: Relation) -> tuple[str, tuple[str, ...]] | None:
        """None: open-source Spark keeps no keys."""
        return None

    def close(self) -> None:
        """Give up temporary views. The settings go with the object."""
        for relation in self.relations():
            if not relation.catalog:
                self._spark.catalog.dropTempView(relation.name)


def _table(frame: DataFrame) -> pa.Table:
    """The rows. Intervals have no Arrow form in Spark, and names may come twice: both are fixed here."""
    fields = frame.schema.fields
    if not fields:
        frame.collect()
        return rows({})
    numbered = frame.toDF(*(f"c{index}" for index in range(len(fields))))
    for index, field in enumerate(fields):
        interval = _INTERVALS.get(type(field.dataType))
        if _is_variant(field):
            numbered = numbered.withColumn(f"c{index}", functions.to_json(numbered[f"c{index}"]))
        elif interval is not None:
            written = numbered[f"c{index}"].cast(interval.lower()).cast("string")
            numbered = numbered.withColumn(f"c{index}", written)
    table = numbered.toArrow()
    made = [_column(field, table.column(index)) for index, field in enumerate(fields)]
    return pa.Table.from_arrays([column for _, column in made], schema=pa.schema([it for it, _ in made]))


def _column(field: spark_types.StructField, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    interval = _INTERVALS.get(type(field.dataType))
    if _is_variant(field):
        return pa.field(field.name, pa.string(), metadata=VARIANT), column.cast(pa.string())
    if interval is None:
        return spark_column(pa.field(field.name, column.type), column)
    texts = [None if text is None else _quoted(text) for text in column.to_pylist()]
    made = pa.field(field.name, pa.string(), metadata={INTERVAL_KEY: interval.encode()})
    return made, pa.chunked_array([pa.array(texts, type=pa.string())])


def _is_variant(field: spark_types.StructField) -> bool:
    # Spark 3.5 has no such type.
    return str(field.dataType.typeName()) == "variant"


def _quoted(literal: str) -> str:
    """What the client reads of ``INTERVAL '3 00:00:00' DAY TO SECOND``: the quoted part, with nanoseconds."""
    text = literal.split("'")[1]
    if ":" not in text:
        return text
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<9}"


def _inserted(frame: DataFrame) -> Result:
    """The row count that Databricks gives, from the metrics of the write."""
    plan = frame._jdf.queryExecution().commandExecuted().commandPhysicalPlan()  # noqa: SLF001
    metric = plan.metrics().get("numOutputRows")
    if not metric.isDefined():
        return Result(rows({}))
    count = int(metric.get().value())
    names = ("num_affected_rows", "num_inserted_rows")
    return Result(rows(dict.fromkeys(names, pa.int64()), [(count, count)]), count)


def _translated(error: PySparkException) -> SqlError:
    condition = error.getCondition() or "INTERNAL_ERROR"
    message = str(error.getMessage() or error).strip()
    message = message.removeprefix(f"[{condition}]").strip()
    message = re.split(r"SQLSTATE: \w{5}", message, maxsplit=1)[0].rstrip()
    if condition.startswith("UNSUPPORTED_FEATURE.TABLE_OPERATION"):
        message = f"{message} {NOTE}"
    return SqlError(condition, message, error.getSqlState() or "XX000")
