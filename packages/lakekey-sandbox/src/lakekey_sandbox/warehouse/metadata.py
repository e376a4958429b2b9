"""The answers to the metadata calls, with the columns that JDBC prescribes for them."""

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse.arrow_types import column_name, comment_of, type_id
from lakekey_sandbox.warehouse.engine import EngineSession, Relation, rows
from lakekey_sandbox.warehouse.wildcards import ANY, ONE, matcher

_TEXT = pa.string()
_INT = pa.int32()
_SMALL = pa.int16()
_TypeId = ttypes.TTypeId
# java.sql.Types, which JDBC and ODBC clients expect in DATA_TYPE.
_JAVA = {
    _TypeId.BOOLEAN_TYPE: 16,
    _TypeId.TINYINT_TYPE: -6,
    _TypeId.SMALLINT_TYPE: 5,
    _TypeId.INT_TYPE: 4,
    _TypeId.BIGINT_TYPE: -5,
    _TypeId.FLOAT_TYPE: 6,
    _TypeId.DOUBLE_TYPE: 8,
    _TypeId.STRING_TYPE: 12,
    _TypeId.TIMESTAMP_TYPE: 93,
    _TypeId.BINARY_TYPE: -2,
    _TypeId.DECIMAL_TYPE: 3,
    _TypeId.DATE_TYPE: 91,
    _TypeId.ARRAY_TYPE: 2003,
    _TypeId.MAP_TYPE: 2000,
    _TypeId.STRUCT_TYPE: 2002,
}
_CATALOGS = {"TABLE_CAT": _TEXT}
_SCHEMAS = {"TABLE_SCHEM": _TEXT, "TABLE_CATALOG": _TEXT}
_TABLES = {
    **dict.fromkeys(["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"], _TEXT),
    **dict.fromkeys(["TYPE_CAT", "TYPE_SCHEM", "TYPE_NAME"], _TEXT),
    **dict.fromkeys(["SELF_REFERENCING_COL_NAME", "REF_GENERATION"], _TEXT),
}
_TABLE_TYPES = {"TABLE_TYPE": _TEXT}
_COLUMNS = {
    **dict.fromkeys(["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME"], _TEXT),
    "DATA_TYPE": _INT,
    "TYPE_NAME": _TEXT,
    "COLUMN_SIZE": _INT,
    "BUFFER_LENGTH": pa.int8(),
    **dict.fromkeys(["DECIMAL_DIGITS", "NUM_PREC_RADIX", "NULLABLE"], _INT),
    **dict.fromkeys(["REMARKS", "COLUMN_DEF"], _TEXT),
    **dict.fromkeys(["SQL_DATA_TYPE", "SQL_DATETIME_SUB", "CHAR_OCTET_LENGTH", "ORDINAL_POSITION"], _INT),
    **dict.fromkeys(["IS_NULLABLE", "SCOPE_CATALOG", "SCOPE_SCHEMA", "SCOPE_TABLE"], _TEXT),
    "SOURCE_DATA_TYPE": _SMALL,
    "IS_AUTO_INCREMENT": _TEXT,
}
_TYPE_INFO = {"TYPE_NAME": _TEXT, "DATA_TYPE": _INT, "PRECISION": _INT}
_PRIMARY_KEYS = {
    **dict.fromkeys(["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME"], _TEXT),
    "KEY_SEQ": _INT,
    "PK_NAME": _TEXT,
}
_TYPES = {
    "VOID": pa.null(),
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "BINARY": pa.binary(),
    "DECIMAL": pa.decimal128(38, 18),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "Etc/UTC"),
    "ARRAY": pa.list_(pa.string()),
    "MAP": pa.map_(pa.string(), pa.string()),
    "STRUCT": pa.struct([]),
}


def catalogs(session: EngineSession) -> pa.Table:
    """All catalogs."""
    return rows(_CATALOGS, [(name,) for name in session.catalogs()])


def schemas(session: EngineSession, catalog: str | None, schema: str | None) -> pa.Table:
    """The schemas that match.

    Args:
        session: Whose view it is.
        catalog: A search pattern; ``None`` or empty matches all.
        schema: The same.
    """
    in_catalog, named = _matcher(catalog), _matcher(schema)
    found = [(name, where) for where, name in session.schemas() if in_catalog(where) and named(name)]
    return rows(_SCHEMAS, found)


def tables(
    session: EngineSession,
    catalog: str | None,
    schema: str | None,
    table: str | None,
    kinds: Sequence[str] | None,
) -> pa.Table:
    """The tables and views that match.

    Args:
        session: Whose view it is.
        catalog: A search pattern; ``None`` or empty matches all.
        schema: The same.
        table: The same.
        kinds: ``TABLE``, ``VIEW``; ``None`` or empty is both.
    """
    wanted = {kind.upper() for kind in kinds or ()}
    found = [
        (it.catalog, it.schema, it.name, it.kind, it.comment, None, None, None, None, None)
        for it in _relations(session, catalog, schema, table)
        if not wanted or it.kind in wanted
    ]
    return rows(_TABLES, found)


def columns(
    session: EngineSession, catalog: str | None, schema: str | None, table: str | None, column: str | None
) -> pa.Table:
    """The columns that match.

    Args:
        session: Whose view it is.
        catalog: A search pattern; ``None`` or empty matches all.
        schema: The same.
        table: The same.
        column: The same.
    """
    named = _matcher(column)
    found = [
        _column_row(relation, position, field)
        for relation in _relations(session, catalog, schema, table)
        for position, field in enumerate(session.columns(relation))
        if named(field.name)
    ]
    return rows(_COLUMNS, found)


def _column_row(relation: Relation, position: int, field: pa.Field) -> tuple[object, ...]:
    size, digits, radix = _numbers(field.type)
    place = (relation.catalog, relation.schema, relation.name, field.name)
    nullable = (1, "YES") if field.nullable else (0, "NO")
    described = (*place, _java_type(field), column_name(field), size, None, digits, radix, nullable[0])
    return (
        *described,
        comment_of(field) or "",
        None,
        None,
        None,
        None,
        position,
        nullable[1],
        None,
        None,
        None,
        None,
        "NO",
    )


def _java_type(field: pa.Field) -> int:
    return 0 if pa.types.is_null(field.type) else _JAVA.get(type_id(field), 1111)


def _numbers(kind: pa.DataType) -> tuple[int | None, int | None, int | None]:
    if pa.types.is_decimal(kind):
        return kind.precision, kind.scale, 10
    if pa.types.is_integer(kind):
        return {8: 3, 16: 5, 32: 10, 64: 19}[kind.bit_width], 0, 10
    if pa.types.is_floating(kind):
        return {32: 7, 64: 15}[kind.bit_width], None, 10
    return None, None, None


def table_types() -> pa.Table:
    """The kinds of tables there are."""
    return rows(_TABLE_TYPES, [("TABLE",), ("VIEW",)])


def type_info() -> pa.Table:
    """The SQL types there are."""
    fields = {name: pa.field(name, kind) for name, kind in _TYPES.items()}
    return rows(
        _TYPE_INFO,
        [(name, _java_type(field), _numbers(field.type)[0]) for name, field in fields.items()],
    )


def primary_keys(session: EngineSession, catalog: str | None, schema: str | None, table: str | None) -> pa.Table:
    """The columns of the primary keys of the tables that match.

    Args:
        session: Whose view it is.
        catalog: A search pattern; ``None`` or empty matches all.
        schema: The same.
        table: The same.
    """
    found = []
    for it in _relations(session, catalog, schema, table):
        name, keys = session.primary_key(it) or ("", ())
        found += [(it.catalog, it.schema, it.name, column, place, name) for place, column in enumerate(keys, start=1)]
    return rows(_PRIMARY_KEYS, found)


def _relations(session: EngineSession, catalog: str | None, schema: str | None, table: str | None) -> list[Relation]:
    in_catalog, in_schema, named = _matcher(catalog), _matcher(schema), _matcher(table)
    return [it for it in session.relations() if in_catalog(it.catalog) and in_schema(it.schema) and named(it.name)]


def _matcher(pattern: str | None) -> Callable[[str], bool]:
    """A JDBC search pattern: ``%`` is anything, ``_`` one character, a backslash takes the meaning away."""
    if not pattern or pattern in ("%", "*"):
        return lambda _: True
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return matcher([{"%": ANY, "_": ONE}.get(part) or part[-1] for part in parts])
