"""Primary and foreign keys: on Databricks they inform and are not enforced, so they are kept beside DuckDB."""

import threading
from dataclasses import dataclass

from sqlglot import exp

from lakekey_sandbox.warehouse.errors import SqlError

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Constraint:
    """A key of a table.

    Attributes:
        name: Its name, unique in the table.
        columns: The table's columns.
        referenced: Catalog, schema and name of the table that a foreign key points to; ``None`` for a primary key.
        referenced_columns: That table's columns.
    """

    name: str
    columns: tuple[str, ...]
    referenced: Place | None = None
    referenced_columns: tuple[str, ...] = ()

    def described(self) -> str:
        """The constraint as ``DESCRIBE TABLE EXTENDED`` shows it."""
        if self.referenced is None:
            return f"PRIMARY KEY ({_list(self.columns)})"
        table = ".".join(f"`{part}`" for part in self.referenced)
        return f"FOREIGN KEY ({_list(self.columns)}) REFERENCES {table} ({_list(self.referenced_columns)})"


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


class Constraints:
    """The keys of all tables, shared by the sessions of an engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Place, tuple[Constraint, ...]] = {}

    def of(self, place: Place) -> tuple[Constraint, ...]:
        """The keys of a table, in the order of their making.

        Args:
            place: The table's catalog, schema and name.
        """
        with self._lock:
            return self._of.get(_key(place), ())

    def replace(self, place: Place, constraints: tuple[Constraint, ...]) -> None:
        """Give a table its keys, in the place of those that it had."""
        with self._lock:
            self._of[_key(place)] = constraints

    def add(self, place: Place, constraint: Constraint) -> None:
        """Add a key to a table.

        Raises:
            SqlError: The table has a constraint of that name, or a primary key already.
        """
        with self._lock:
            known = self._of.get(_key(place), ())
            second = constraint.referenced is None and any(it.referenced is None for it in known)
            if second or any(it.name.lower() == constraint.name.lower() for it in known):
                message = f"Constraint `{constraint.name}` already exists."
                raise SqlError("CONSTRAINT_ALREADY_EXISTS", message, "42710")
            self._of[_key(place)] = (*known, constraint)

    def drop(self, place: Place, name: str | None, *, lenient: bool) -> None:
        """Remove a key from a table.

        Args:
            place: The table.
            name: The constraint's name; ``None`` is the primary key.
            lenient: Whether one that is not there is no error.

        Raises:
            SqlError: There is no such constraint.
        """
        with self._lock:
            known = self._of.get(_key(place), ())
            left = tuple(it for it in known if (it.referenced if name is None else it.name.lower() != name.lower()))
            if len(left) == len(known) and not lenient:
                raise SqlError("CONSTRAINT_DOES_NOT_EXIST", f"Constraint `{name}` does not exist.", "42704")
            self._of[_key(place)] = left

    def rename(self, place: Place, name: str) -> None:
        """Follow a table to its new name within its schema."""
        with self._lock:
            self._of[_key((*place[:2], name))] = self._of.pop(_key(place), ())

    def primary_key(self, place: Place) -> tuple[str, ...]:
        """The columns of a table's primary key; none if it has none."""
        return next((it.columns for it in self.of(place) if it.referenced is None), ())


def _key(place: Place) -> Place:
    return (place[0].lower(), place[1].lower(), place[2].lower())


def declared(node: exp.Expression, table: str) -> tuple[str, exp.Expression] | None:
    """The name and the content of a key that a table definition declares.

    Args:
        node: A part of the definition.
        table: The table's name, from which a key without a name gets one.

    Returns:
        Name and content, or ``None`` if the part is another thing.
    """
    content = node.expressions[0] if isinstance(node, exp.Constraint) and node.expressions else node
    if not isinstance(content, exp.PrimaryKey | exp.ForeignKey):
        return None
    kind = "pk" if isinstance(content, exp.PrimaryKey) else "fk"
    return (node.name if isinstance(node, exp.Constraint) else f"{table}_{kind}"), content


def column_names(node: exp.Expression) -> tuple[str, ...]:
    """The columns that a key lists."""
    return tuple(it.name for it in node.expressions)
