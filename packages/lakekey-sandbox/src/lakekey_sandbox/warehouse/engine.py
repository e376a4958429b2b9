"""What the Thrift service asks of an engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa


@dataclass(frozen=True)
class Parameter:
    """A query parameter as it travels: text and a type, never spliced into the statement.

    Attributes:
        name: The name of a ``:name`` marker, or ``None`` for a ``?`` marker.
        type: A Databricks SQL type, such as ``DECIMAL(10,2)``, ``ARRAY`` or ``VOID``.
        value: The value as text; ``None`` is NULL.
        arguments: The elements of an array; the keys and values of a map, in turn.
    """

    name: str | None
    type: str
    value: str | None
    arguments: tuple["Parameter", ...] = ()


@dataclass(frozen=True)
class Result:
    """What a statement gave.

    Attributes:
        table: The rows, in Arrow types that Spark knows.
        modified_rows: How many rows a DML statement changed; ``None`` for the others.
    """

    table: pa.Table
    modified_rows: int | None = None


@dataclass(frozen=True, order=True)
class Relation:
    """A table or view.

    Attributes:
        catalog: The catalog; empty for a temporary view.
        schema: The schema; empty for a temporary view.
        name: The name within the schema.
        kind: ``TABLE`` or ``VIEW``.
        comment: What its owner says about it.
    """

    catalog: str
    schema: str
    name: str
    kind: str
    comment: str = ""


class Ticket(Protocol):
    """Names one run of a statement.

    Attributes:
        name: Unique among all runs.
        cancelled: No caller wants the result any more. An engine looks before it begins; once it has begun, it is
            interrupted.
    """

    cancelled: bool

    @property
    def name(self) -> str: ...  # noqa: D102 - told above


class EngineSession(Protocol):
    """One client's session: its current catalog and schema, temporary views and settings."""

    def execute(self, statement: str, parameters: Sequence[Parameter], ticket: Ticket) -> Result:
        """Run one statement to its end.

        Args:
            statement: Databricks SQL.
            parameters: Values for its markers.
            ticket: Names this run to ``interrupt``.

        Raises:
            SqlError: The statement failed.
        """

    def interrupt(self, ticket: Ticket) -> bool:
        """Stop the run of that ticket, if it is going on; other runs are left alone.

        Returns:
            Whether to ask again when the run has not ended soon: an interrupt can come too early to be noticed.
        """

    def catalogs(self) -> list[str]:
        """The catalogs, sorted."""

    def schemas(self) -> list[tuple[str, str]]:
        """The schemas as (catalog, schema), sorted."""

    def relations(self) -> list[Relation]:
        """Tables and views, with the session's temporary views first."""

    def columns(self, relation: Relation) -> pa.Schema:
        """The columns of a table or view, in Arrow types that Spark knows."""

    def primary_key(self, relation: Relation) -> tuple[str, tuple[str, ...]] | None:
        """The name and the columns of a table's primary key, or ``None`` if it has none."""

    def close(self) -> None:
        """Give up temporary views and settings."""


class Engine(Protocol):
    """Where tables live and statements run; sessions of one engine share its tables."""

    def open_session(
        self, subject: str, catalog: str | None, schema: str | None, configuration: Mapping[str, str]
    ) -> EngineSession:
        """Open a session for one subject.

        Args:
            subject: Who ``current_user()`` is.
            catalog: The catalog to start in; ``None`` is the engine's default.
            schema: The schema to start in; ``None`` is ``default``.
            configuration: Session settings from the client.

        Raises:
            SqlError: There is no such catalog or schema.
        """

    def close(self) -> None:
        """Stop what runs, and free the tables."""


def rows(columns: Mapping[str, pa.DataType], values: Sequence[Sequence[Any]] = ()) -> pa.Table:
    """A small table made of Python values.

    Args:
        columns: Names and types, in order.
        values: Rows of that width.
    """
    arrays = [pa.array([row[index] for row in values], type=kind) for index, kind in enumerate(columns.values())]
    return pa.Table.from_arrays(arrays, names=list(columns))
