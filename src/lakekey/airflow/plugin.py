"""The plugin: the provider's own operators make hooks of their own, and for our connections these are to be ours.

Airflow's operators, sensors and triggers for Databricks name their hook's class in their code, so a connection type of
one's own never reaches them. With this plugin, such a hook looks at its connection when it first acts; where that is
of our type, the hook carries on as one of `lakekey.airflow.hooks`. Other connections pay one comparison of strings.
"""

import functools
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from lakekey import _log
from lakekey.airflow.provider_info import CONN_TYPE

_HOOKS = "airflow.providers.databricks.hooks"
#: Where a hook first acts: module → class → methods.
_GATES = {
    f"{_HOOKS}.databricks_base": (
        "BaseDatabricksHook",
        ("_do_api_call", "_a_do_api_call", "_get_token", "_a_get_token"),
    ),
    f"{_HOOKS}.databricks_sql": ("DatabricksSqlHook", ("get_conn",)),
}
# Methods that fetch the connection before anything else. The others take it as it is, and so do their gates.
_AWAITING = frozenset({"_a_do_api_call"})


class LakekeyPlugin(AirflowPlugin):  # type: ignore[misc]
    """Signs the Databricks provider's own hooks in where their connection is of the type ``lakekey_databricks``."""

    name = "lakekey"

    @classmethod
    def on_load(cls, *_args: Any, **_kwargs: Any) -> None:
        """Watch for the provider's hooks. They are not imported here: most tasks of an installation never use them."""
        for module in _GATES:
            after_import(module, add_gates)


def add_gates(module: ModuleType) -> None:
    """Let the hooks of a module of the Databricks provider look at their connection before they act."""
    owner, names = _GATES[module.__name__]
    stock = getattr(module, owner, None)
    if stock is None or not all(name in vars(stock) for name in names):
        # Never an exception: it would take the provider away from the tasks that have nothing to do with us.
        _log.warning("airflow", "lakekey does not know %s: use lakekey.airflow's hooks instead", module.__name__)
        return
    for name in names:
        method = vars(stock)[name]
        if not hasattr(method, "__lakekey__"):
            gate = _async_gate(method) if iscoroutinefunction(method) else _gate(method)
            gate.__lakekey__ = True  # type: ignore[attr-defined]
            setattr(stock, name, gate)


def _gate(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def gate(hook: Any, *args: Any, **kwargs: Any) -> Any:
        if _turned(hook):
            return getattr(hook, method.__name__)(*args, **kwargs)
        return method(hook, *args, **kwargs)

    return gate


def _async_gate(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def gate(hook: Any, *args: Any, **kwargs: Any) -> Any:
        if method.__name__ in _AWAITING:
            await hook._a_cache_databricks_conn()  # noqa: SLF001 - as the method itself begins
        if _turned(hook):
            return await getattr(hook, method.__name__)(*args, **kwargs)
        return await method(hook, *args, **kwargs)

    return gate


def _turned(hook: Any) -> bool:
    """Whether a stock hook has just become one of ours: its class is changed, for good."""
    if hook.databricks_conn.conn_type != CONN_TYPE:
        return False
    from lakekey.airflow import hooks

    if isinstance(hook, hooks.SignedIn):
        return False
    stock: type = type(hook)
    hook.__class__ = _signed_in(stock)
    vars(hook).pop("host", None)  # what the stock hook made of the connection's host
    return True


@functools.cache
def _signed_in(stock: type) -> type:
    """A class that does what ``stock`` does, signed in by lakekey."""
    from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook

    from lakekey.airflow import hooks

    part = hooks.SignedInSql if issubclass(stock, DatabricksSqlHook) else hooks.SignedIn
    return type(stock.__name__, (part, stock), {"__module__": stock.__module__, "__doc__": stock.__doc__})


def after_import(name: str, work: Callable[[ModuleType], None]) -> None:
    """Do something with a module as soon as it is imported; at once where it is already.

    Args:
        name: The module.
        work: What to do with it.
    """
    loaded = sys.modules.get(name)
    if loaded is not None:
        work(loaded)
    elif not any(isinstance(finder, _Watch) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch(name, work))


class _Watch(MetaPathFinder):
    """Finds one module, once, by the usual way, and calls something after its import."""

    def __init__(self, name: str, work: Callable[[ModuleType], None]) -> None:
        self.name = name
        self._work = work

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader, self._work)
        return spec


class _Then(Loader):
    """Loads a module by its own loader, and then does something with it."""

    def __init__(self, loader: Loader, work: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._work = work

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module is its own loader's: code that looks at it should not find us in between.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._work(module)
