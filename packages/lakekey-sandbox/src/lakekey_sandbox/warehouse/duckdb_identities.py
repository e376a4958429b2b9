"""Identity columns: no statement gives them a value where the table always makes its own, and none changes one."""

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

from lakekey_sandbox.warehouse.databricks_sql import to_dialect
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_names import PREFIX
from lakekey_sandbox.warehouse.errors import SqlError

#: How the names of the sequences begin that number the rows; of those that do so always.
SEQUENCE = "lakekey_identity"
ALWAYS = f"{SEQUENCE}_always"


def require_no_identity(
    tree: exp.Expression, catalog: Catalog, columns_of: Callable[[exp.Expression], Sequence[str]]
) -> None:
    """Refuse a change that gives an identity column a value.

    Args:
        tree: The statement.
        catalog: What the session sees.
        columns_of: Gives the names of a query's columns.

    Raises:
        SqlError: It does.
    """
    if not isinstance(tree, exp.Insert | exp.Update | exp.Merge):
        return
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(table, exp.Table):  # a directory
        return
    place = (table.catalog.removeprefix(PREFIX) or catalog.catalog, table.db or catalog.schema, table.name)
    numbered = catalog.identities(place, SEQUENCE)
    if not numbered:
        return
    always = catalog.identities(place, ALWAYS)
    whole = exp.Table(this=table.this, db=table.args.get("db"), catalog=table.args.get("catalog"))
    columns = list(catalog.column_types(to_dialect(whole, "duckdb")))
    if isinstance(tree, exp.Insert):
        source = tree.expression
        if tree.args.get("by_name") and source is not None:
            names: Iterable[str] = columns_of(source)
        else:
            names = [it.name for it in tree.this.expressions] if isinstance(tree.this, exp.Schema) else columns
        _refuse_inserted(names, source.expressions if isinstance(source, exp.Values) else (), always)
        return
    for change in [it.args.get("then") for it in tree.args["whens"].expressions] if _merges(tree) else [tree]:
        if isinstance(change, exp.Update):
            _refuse_updated(change, numbered)
        elif isinstance(change, exp.Insert):
            listed = change.this.expressions if isinstance(change.this, exp.Tuple) else ()
            rows = [change.expression] if change.expression is not None else []
            _refuse_inserted([it.name for it in listed] or columns, rows, always)


def _merges(tree: exp.Expression) -> bool:
    return isinstance(tree, exp.Merge)


def _refuse_inserted(names: Iterable[str], rows: Sequence[exp.Expression], always: set[str]) -> None:
    for place, name in enumerate(names):
        if name.lower() in always and not (rows and all(_is_default(row, place) for row in rows)):
            raise SqlError(
                "DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED",
                f"Providing values for GENERATED ALWAYS AS IDENTITY column {name} is not supported.",
                "42808",
            )


def _is_default(row: exp.Expression, place: int) -> bool:
    values = row.expressions if isinstance(row, exp.Tuple) else [row]
    return place >= len(values) or (isinstance(values[place], exp.Var | exp.Column) and _is_word(values[place]))


def _is_word(value: exp.Expression) -> bool:
    return bool(value.name.upper() == "DEFAULT")


def _refuse_updated(change: exp.Update, numbered: set[str]) -> None:
    for assignment in change.expressions:
        if isinstance(assignment, exp.Star) or assignment.this.name.lower() in numbered:
            message = "UPDATE on IDENTITY columns is not supported."
            raise SqlError("DELTA_IDENTITY_COLUMNS_UPDATE_NOT_SUPPORTED", message, "42808")
