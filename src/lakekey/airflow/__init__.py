"""Airflow: connections of the type ``lakekey_databricks``, signed in as a service principal from the shared cache.

Airflow finds the connection type and the plugin by itself, through the package's entry points. With both, the
Databricks provider's own operators, sensors and triggers sign in through lakekey wherever their connection has that
type; nothing else about them changes, and connections of other types are left alone.

Nothing of Airflow is imported until a hook is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakekey.airflow.hooks import LakekeyDatabricksHook, LakekeyDatabricksSqlHook

__all__ = ["LakekeyDatabricksHook", "LakekeyDatabricksSqlHook"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("lakekey.airflow.hooks"), name)
