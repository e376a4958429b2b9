"""Division of decimals by Spark's rules: the quotient is a decimal, whose scale the operands decide."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from lakekey_sandbox.warehouse.duckdb_functions import call

_WIDEST = 38
_LEAST_SCALE = 6
_Type = exp.DataType.Type
_INTEGERS = {_Type.TINYINT: 3, _Type.SMALLINT: 5, _Type.INT: 10, _Type.BIGINT: 20}
Decimal = tuple[int, int]
Columns = Callable[[exp.Table], Mapping[str, str]]


def divide(tree: exp.Expression, columns: Columns) -> exp.Expression:
    """Give divisions of decimals Spark's result; those whose operands have no known type stay as they are.

    Args:
        tree: A statement whose tables have their names on DuckDB.
        columns: The columns of a table, with their types in SQL.
    """
    quotients = list(tree.find_all(exp.Div))
    if not quotients:
        return tree
    types = _Types(tree, columns)
    # Inner divisions first: each is replaced within its parent, and the types are known before any is.
    found = [(node, types.of(node.this), types.of(node.expression)) for node in quotients]
    for node, left, right in reversed(found):
        if left is not None and right is not None and (left[1] or right[1] or _decimal(node)):
            replaced = _quotient(node, left, right)
            if node is tree:
                return replaced
            node.replace(replaced)
    return tree


def _decimal(node: exp.Div) -> bool:
    """Whether an operand is a decimal without digits after the point; two integers give a double."""
    casts = [it.unnest() for it in (node.this, node.expression)]
    return any(isinstance(it, exp.Cast) and it.to.this == _Type.DECIMAL for it in casts)


def result_type(left: Decimal, right: Decimal) -> Decimal:
    """The precision and scale of a quotient, within 38 digits.

    Args:
        left: Precision and scale of the dividend.
        right: The same of the divisor.
    """
    scale = max(_LEAST_SCALE, left[1] + right[0] + 1)
    precision = left[0] - left[1] + right[1] + scale
    if precision <= _WIDEST:
        return precision, scale
    return _WIDEST, max(_WIDEST - (precision - scale), min(scale, _LEAST_SCALE))


def _quotient(node: exp.Div, left: Decimal, right: Decimal) -> exp.Expression:
    precision, scale = result_type(left, right)
    factor = exp.Literal.number(10 ** max(0, scale + right[1] - left[1]))
    divided = call("divide", node.this.copy(), node.expression.copy(), factor, exp.Literal.number(scale))
    return exp.cast(divided, f"DECIMAL({precision}, {scale})")


class _Types:
    """What decimals a statement holds."""

    def __init__(self, tree: exp.Expression, columns: Columns) -> None:
        self._ctes = {it.alias.lower() for it in tree.find_all(exp.CTE)}
        self._columns = columns

    def of(self, node: exp.Expression) -> Decimal | None:
        """Precision and scale of an exact number; ``None`` for all others."""
        if isinstance(node, exp.Paren | exp.Neg):
            return self.of(node.this)
        if isinstance(node, exp.Literal):
            return None if node.is_string else _of_literal(node.name)
        if isinstance(node, exp.Cast):
            return _of_type(node.to)
        if isinstance(node, exp.Div):
            return self._of_division(node)
        return self._of_column(node) if isinstance(node, exp.Column) else None

    def _of_division(self, node: exp.Div) -> Decimal | None:
        left, right = self.of(node.this), self.of(node.expression)
        exact = left is not None and right is not None and (left[1] or right[1])
        return result_type(left, right) if exact and left and right else None

    def _of_column(self, node: exp.Column) -> Decimal | None:
        select = node.find_ancestor(exp.Select, exp.Update, exp.Delete)
        for table in select.find_all(exp.Table) if select is not None else ():
            if node.table and node.table.lower() != table.alias_or_name.lower():
                continue
            if not table.db and table.name.lower() in self._ctes:
                continue
            kind = self._columns(table).get(node.name.lower())
            if kind is not None:
                return _of_type(exp.DataType.build(kind, dialect="duckdb", udt=True))
        return None


def _of_literal(text: str) -> Decimal | None:
    if not text.replace(".", "", 1).isdecimal():
        return None
    whole, _, fraction = text.partition(".")
    return max(len(whole.lstrip("0")) + len(fraction), 1), len(fraction)


def _of_type(kind: exp.DataType) -> Decimal | None:
    if kind.this == _Type.DECIMAL:
        numbers = [int(it.name) for it in kind.expressions]
        return (numbers[0] if numbers else 10, numbers[1] if len(numbers) > 1 else 0)
    precision = _INTEGERS.get(kind.this)
    return None if precision is None else (precision, 0)
