"""Statements that DuckDB has no words for: USE, SHOW, DESCRIBE, SET, CREATE CATALOG, EXPLAIN."""

from collections.abc import Callable

import pyarrow as pa
from sqlglot.tokens import Token, TokenType

from lakekey_sandbox.warehouse.arrow_types import column_name, comment_of
from lakekey_sandbox.warehouse.duckdb_catalog import Catalog
from lakekey_sandbox.warehouse.duckdb_names import DEFAULT_SCHEMA
from lakekey_sandbox.warehouse.duckdb_settings import Settings
from lakekey_sandbox.warehouse.engine import Relation, rows
from lakekey_sandbox.warehouse.errors import SqlError, syntax_error, unsupported
from lakekey_sandbox.warehouse.wildcards import ANY, matcher

_TEXT = pa.string()
_DESCRIBED = {"col_name": _TEXT, "data_type": _TEXT, "comment": _TEXT}


class _Words:
    """The words of a command, read from left to right."""

    def __init__(self, found: list[Token]) -> None:
        self._found = [it for it in found if it.token_type != TokenType.SEMICOLON]
        self._next = 0

    def take(self, *choices: str) -> str:
        """The next word if it is one of these, in upper case; else empty, and it stays."""
        if self._next < len(self._found):
            token = self._found[self._next]
            if token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER) and token.text.upper() in choices:
                self._next += 1
                return str(token.text.upper())
        return ""

    def words(self, phrase: str) -> bool:
        """Take a phrase as a whole, or nothing."""
        start = self._next
        for word in phrase.split():
            if not self.take(word):
                self._next = start
                return False
        return True

    def name(self) -> list[str]:
        """A dotted name, at least one part."""
        parts = [self._text()]
        while self.take("."):
            parts.append(self._text())
        return parts

    def _text(self) -> str:
        if self._next >= len(self._found):
            raise syntax_error("")
        self._next += 1
        return str(self._found[self._next - 1].text)

    def pattern(self) -> Callable[[str], bool]:
        """``[LIKE] 'a*|b'``, where ``*`` is anything and ``|`` means or."""
        self.take("LIKE")
        if self.done():
            return lambda _: True
        choices = [matcher([ANY if each == "*" else each for each in part]) for part in self._text().split("|")]
        return lambda name: any(matches(name) for matches in choices)

    def done(self) -> bool:
        """Whether all words are read."""
        return self._next >= len(self._found)

    def end(self) -> None:
        """Require that all words are read."""
        if not self.done():
            raise syntax_error(str(self._found[self._next].text))


def is_command(words: list[Token]) -> bool:
    """Whether a statement is one of the commands here.

    Args:
        words: The words of the statement.
    """
    found = _Words(words)
    return any(found.words(phrase) for phrase in ("SET", *_COMMANDS))


def command(statement: str, words: list[Token], catalog: Catalog, settings: Settings) -> pa.Table:
    """Run a command.

    Args:
        statement: Databricks SQL.
        words: Its words.
        catalog: What the session sees; ``USE`` moves it.
        settings: The session's settings; ``SET`` writes them.

    Returns:
        Its rows.

    Raises:
        SqlError: The command failed.
    """
    found = _Words(words)
    if found.take("SET"):
        if found.take("VARIABLE", "VAR"):
            raise unsupported("this kind of SET")
        return settings.run(statement)
    for phrase, run in _COMMANDS.items():
        if found.words(phrase):
            return run(found, catalog)
    raise unsupported("this command")


def _use(words: _Words, catalog: Catalog) -> pa.Table:
    if words.take("CATALOG"):
        (name,) = _parts(words, 1)
        catalog.use(name, DEFAULT_SCHEMA)
    else:
        words.take("SCHEMA", "DATABASE")
        where, schema = _parts(words, 2, catalog.catalog)
        catalog.use(where, schema)
    words.end()
    return rows({})


def _parts(words: _Words, width: int, *defaults: str) -> list[str]:
    """A name of so many parts, the missing ones on the left taken from the defaults."""
    parts = words.name()
    missing = width - len(parts)
    if missing < 0 or missing > len(defaults):
        raise syntax_error(".".join(parts))
    return [*defaults[len(defaults) - missing :], *parts] if missing else parts


def _show(words: _Words, catalog: Catalog) -> pa.Table:
    if words.take("CATALOGS"):
        keep = words.pattern()
        return rows({"catalog": _TEXT}, [(name,) for name in catalog.catalogs() if keep(name)])
    if words.take("SCHEMAS", "DATABASES"):
        where = _parts(words, 1)[0] if words.take("IN", "FROM") else catalog.catalog
        keep = words.pattern()
        found = [(name,) for owner, name in catalog.schemas() if owner == where and keep(name)]
        return rows({"databaseName": _TEXT}, found)
    if words.take("TABLES"):
        return _show_relations(words, catalog, {"database": _TEXT}, "tableName", ("TABLE", "VIEW"))
    if words.take("VIEWS"):
        return _show_relations(words, catalog, {"namespace": _TEXT}, "viewName", ("VIEW",))
    if words.take("COLUMNS"):
        words.take("IN", "FROM")
        relation = _relation(words, catalog)
        words.end()
        return rows({"col_name": _TEXT}, [(field.name,) for field in catalog.columns(relation)])
    raise unsupported("this kind of SHOW")


def _show_relations(
    words: _Words, catalog: Catalog, first: dict[str, pa.DataType], named: str, kinds: tuple[str, ...]
) -> pa.Table:
    place = [catalog.catalog, catalog.schema]
    if words.take("IN", "FROM"):
        place = _parts(words, 2, catalog.catalog)
    keep = words.pattern()
    if tuple(place) not in catalog.schemas():
        name = ".".join(f"`{part}`" for part in place)
        raise SqlError("SCHEMA_NOT_FOUND", f"The schema {name} cannot be found.", "42704")
    found = [
        (it.schema, it.name, not it.catalog)
        for it in catalog.relations()
        if it.kind in kinds and keep(it.name) and (not it.catalog or [it.catalog, it.schema] == place)
    ]
    return rows({**first, named: _TEXT, "isTemporary": pa.bool_()}, found)


def _relation(words: _Words, catalog: Catalog) -> Relation:
    parts = words.name()
    wanted = [part.lower() for part in parts]
    place = [catalog.catalog, catalog.schema]
    full = [*place[: 3 - len(parts)], *parts] if len(parts) < 3 else parts
    for it in catalog.relations():
        temporary = not it.catalog and len(parts) == 1 and it.name.lower() == wanted[-1]
        if temporary or [it.catalog.lower(), it.schema.lower(), it.name.lower()] == [p.lower() for p in full]:
            return it
    name = ".".join(f"`{part}`" for part in parts)
    raise SqlError("TABLE_OR_VIEW_NOT_FOUND", f"The table or view {name} cannot be found.", "42P01")


def _describe(words: _Words, catalog: Catalog) -> pa.Table:
    words.take("TABLE")
    if words.take("SCHEMA", "DATABASE", "CATALOG", "FUNCTION", "HISTORY", "DETAIL"):
        raise unsupported("this kind of DESCRIBE")
    extended = words.take("EXTENDED", "FORMATTED")
    relation = _relation(words, catalog)
    words.end()
    columns = described(catalog.columns(relation))
    return rows(_DESCRIBED, [*columns, *_more(relation, catalog)] if extended else columns)


def described(columns: pa.Schema) -> list[tuple[str, str, str | None]]:
    """Columns as ``DESCRIBE`` shows them.

    Args:
        columns: The columns, in Arrow types that Spark knows.
    """
    return [(field.name, column_name(field).lower(), comment_of(field)) for field in columns]


def describe_query(columns: pa.Schema) -> pa.Table:
    """The answer to ``DESCRIBE QUERY``."""
    return rows(_DESCRIBED, described(columns))


def _more(relation: Relation, catalog: Catalog) -> list[tuple[str, str, str | None]]:
    """What ``EXTENDED`` adds, in the sections that clients look for."""
    facts = [
        ("Catalog", relation.catalog),
        ("Database", relation.schema),
        ("Table", relation.name),
        ("Type", "VIEW" if relation.kind == "VIEW" else "MANAGED"),
        *([("Comment", relation.comment)] if relation.comment else []),
        *([("Provider", "delta")] if relation.kind == "TABLE" else []),
    ]
    found: list[tuple[str, str, str | None]] = [("", "", ""), ("# Detailed Table Information", "", "")]
    found += [(name, value, "") for name, value in facts]
    keys = catalog.constraints.of((relation.catalog, relation.schema, relation.name))
    if keys:
        found += [("", "", ""), ("# Constraints", "", "")]
        found += [(key.name, key.described(), "") for key in keys]
    return found


def _create_catalog(words: _Words, catalog: Catalog) -> pa.Table:
    lenient = words.words("IF NOT EXISTS")
    (name,) = _parts(words, 1)
    if not (lenient and name in catalog.catalogs()):
        catalog.create_catalog(name)
    return rows({})


def _drop_catalog(words: _Words, catalog: Catalog) -> pa.Table:
    lenient = words.words("IF EXISTS")
    (name,) = _parts(words, 1)
    if name not in catalog.catalogs():
        if lenient:
            return rows({})
        raise SqlError("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{name}' was not found.", "42704")
    used = [schema for owner, schema in catalog.schemas() if owner == name and schema != DEFAULT_SCHEMA]
    tables = [it for it in catalog.relations() if it.catalog == name]
    if (used or tables) and not words.take("CASCADE"):
        raise SqlError("CATALOG_NOT_EMPTY", f"Cannot drop the catalog `{name}`: it is not empty.", "2BP01")
    catalog.drop_catalog(name)
    return rows({})


def _explain(_: _Words, __: Catalog) -> pa.Table:
    raise unsupported("EXPLAIN")


_COMMANDS = {
    "USE": _use,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "CREATE CATALOG": _create_catalog,
    "DROP CATALOG": _drop_catalog,
    "EXPLAIN": _explain,
}
