"""Query parameters as they come over Thrift."""

from typing import Any

from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse.engine import Parameter


def from_thrift(given: ttypes.TSparkParameter) -> Parameter:
    """Read a parameter.

    Args:
        given: A parameter as the connector sends it: text and a type name; nested ones hold arguments.
    """
    name = None if given.ordinal is True or not given.name else str(given.name)
    return Parameter(name, (given.type or "STRING").upper(), _value(given.value), _arguments(given.arguments))


def _value(given: ttypes.TSparkParameterValue | None) -> str | None:
    if given is None:
        return None
    if given.stringValue is not None:
        return str(given.stringValue)
    if given.doubleValue is not None:
        return repr(given.doubleValue)
    return None if given.booleanValue is None else str(given.booleanValue).lower()


def _arguments(given: list[Any] | None) -> tuple[Parameter, ...]:
    return tuple(
        # An element that is NULL comes as the text "None" with the type VOID.
        Parameter(None, it.type.upper(), None if it.type.upper() == "VOID" else it.value, _arguments(it.arguments))
        for it in given or ()
    )
