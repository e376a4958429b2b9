"""Databricks SQL: parsed, its parameters bound, its columns named as Databricks names them."""

from collections.abc import Callable, Sequence

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokens import Token, TokenType

from lakekey_sandbox.warehouse.engine import Parameter
from lakekey_sandbox.warehouse.errors import SqlError, syntax_error

_DIALECT = "databricks"
_POSITIONAL = "lakekey positional "


def tokens(statement: str) -> list[Token]:
    """The words of a statement, comments left out.

    Raises:
        SqlError: A quote or comment is not closed.
    """
    try:
        found = list(Databricks().tokenize(statement))
        if found and found[0].text.upper() == "SHOW":
            # sqlglot has no grammar for it, and keeps all that follows as one string.
            return [found[0], *Databricks().tokenize(statement[found[0].end + 1 :])]
    except TokenError as error:
        raise syntax_error("") from error
    return found


def parse(statement: str) -> exp.Expression:
    """Parse the one statement of a text.

    ``?`` markers become named ones, numbered in the order of the text: a tree has no such order.

    Raises:
        SqlError: It does not parse, is empty, or there is more than one.
    """
    text = statement
    markers = [it for it in tokens(statement) if it.token_type == TokenType.PLACEHOLDER and it.text == "?"]
    for index in range(len(markers) - 1, -1, -1):
        marker = markers[index]
        text = f"{text[: marker.start]}:`{_POSITIONAL}{index}`{text[marker.end + 1 :]}"
    try:
        found = [it for it in Databricks().parse(text) if it is not None and not isinstance(it, exp.Semicolon)]
    except ParseError as error:
        raise _syntax_error(error) from error
    if len(found) != 1:
        raise syntax_error(";" if found else "")
    return found[0]


def _syntax_error(error: ParseError) -> SqlError:
    detail = error.errors[0] if error.errors else {}
    line, column = detail.get("line"), detail.get("col")
    near = str(detail.get("highlight") or "")
    # Spark counts the positions of a line from 0, and means the first character.
    where = f"line {line}, pos {max(0, column - len(near))}" if line and column is not None else None
    return syntax_error(near, where)


class _Values:
    """The values of a statement's markers."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._named = {it.name: it for it in parameters if it.name is not None}
        self._unnamed = [it for it in parameters if it.name is None]

    def of(self, marker: exp.Placeholder) -> Parameter:
        name = marker.name
        if name.startswith(_POSITIONAL):
            index = int(name.removeprefix(_POSITIONAL))
            if index < len(self._unnamed):
                return self._unnamed[index]
            name = f"_{index + 1}"
        elif name in self._named:
            return self._named[name]
        raise SqlError(
            "UNBOUND_SQL_PARAMETER",
            f"Found the unbound parameter: {name}. Please, fix `args` and provide a mapping of the parameter.",
            "42P02",
        )


def bind(tree: exp.Expression, parameters: Sequence[Parameter]) -> exp.Expression:
    """Name unnamed columns by their text, and put the values in place of the markers.

    The values enter as typed literals of the tree, so no value can be read as SQL.

    Args:
        tree: A parsed statement.
        parameters: Values for its markers.

    Raises:
        SqlError: A marker has no value, or a value has an unknown type.
    """
    values = _Values(parameters)

    def shown(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
            return exp.Count(this=exp.Literal.number(1))
        if not isinstance(node, exp.Placeholder):
            return node
        parameter = values.of(node)
        if parameter.arguments:
            return literal(parameter)
        return exp.Null() if parameter.value is None else exp.var(parameter.value)

    def bound(node: exp.Expression) -> exp.Expression:
        return literal(values.of(node)) if isinstance(node, exp.Placeholder) else node

    for select in list(tree.find_all(exp.Select)):
        select.set("expressions", [_with_name(column, shown) for column in select.expressions])
    return tree.transform(bound, copy=False)


def _with_name(column: exp.Expression, shown: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    if column.is_star or isinstance(column, exp.Alias | exp.Aliases | exp.Column | exp.PropertyEQ):
        return column
    if isinstance(column, exp.Explode):
        return exp.alias_(column, "col", quoted=True)
    if isinstance(column, exp.Dot):
        return exp.alias_(column, column.name, quoted=True)
    plain = column.copy().transform(shown)
    text: str = plain.sql(_DIALECT, normalize_functions="lower", comments=False)
    if isinstance(plain, exp.Literal):
        text = plain.name
    elif isinstance(plain, exp.Boolean):
        text = text.lower()
    elif isinstance(plain, exp.Func) and not isinstance(plain, exp.Anonymous) and not any(plain.args.values()):
        text = f"{plain.sql_name().lower()}()"
    return exp.alias_(column, text, quoted=True)


def literal(parameter: Parameter) -> exp.Expression:
    """A parameter as a typed literal.

    Raises:
        SqlError: The type is unknown.
    """
    if parameter.type == "ARRAY":
        return exp.Array(expressions=[literal(it) for it in parameter.arguments])
    if parameter.type == "MAP":
        pairs = [literal(it) for it in parameter.arguments]
        return exp.Map(keys=exp.Array(expressions=pairs[::2]), values=exp.Array(expressions=pairs[1::2]))
    if parameter.value is None or parameter.type == "VOID":
        return exp.Null()
    text = exp.Literal.string(parameter.value)
    if parameter.type == "STRING":
        return text
    try:
        return exp.cast(text, exp.DataType.build(parameter.type, dialect=_DIALECT))
    except SqlglotError as error:
        raise SqlError("INVALID_PARAMETER_VALUE", f"Unknown parameter type {parameter.type}.", "22023") from error


def to_dialect(tree: exp.Expression, dialect: str) -> str:
    """Write a statement in another dialect.

    Args:
        tree: A parsed statement.
        dialect: A name that sqlglot knows.

    Raises:
        SqlError: The dialect has no words for it.
    """
    try:
        # Quoting every name keeps those that are words of the other dialect, such as a schema ``default``.
        written: str = tree.sql(dialect, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise SqlError("UNSUPPORTED_FEATURE", f"The sandbox cannot translate this: {error}.", "0A000") from error
    return written
