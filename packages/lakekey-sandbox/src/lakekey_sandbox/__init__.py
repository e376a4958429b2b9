"""A Databricks workspace on loopback: real OAuth, a SQL warehouse and a few REST routes.

For demonstrations and for tests of programs that sign in. ``Sandbox`` is the workspace, ``Person`` plays
the person at its sign-in page::

    from lakekey.sandbox import Person, Sandbox

    with Sandbox() as box:
        person = box.person("ada@example.com")
        ...

Nothing is imported until one of the names is used: a pytest plugin imports this package in every test run.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakekey_sandbox.person import Person
    from lakekey_sandbox.workspace import Sandbox

__all__ = ["Person", "Sandbox"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name == "Sandbox":
            from lakekey_sandbox.workspace import Sandbox

            return Sandbox
        from lakekey_sandbox.person import Person
    except ModuleNotFoundError as error:
        raise ImportError(
            f"lakekey.sandbox needs {error.name}, which comes with the extra: pip install 'lakekey[sandbox]'",
            name=error.name,
        ) from error
    return Person
