"""The local workspace of lakekey-sandbox by the name that tests import: ``lakekey.sandbox.Sandbox``.

Nothing is imported until one of the names is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakekey_sandbox import Person, Sandbox

__all__ = ["Person", "Sandbox"]


if not TYPE_CHECKING:  # which would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            import lakekey_sandbox
        except ModuleNotFoundError as error:
            raise ImportError(
                "lakekey.sandbox needs the package lakekey-sandbox: pip install 'lakekey[sandbox]'", name=error.name
            ) from error
        return getattr(lakekey_sandbox, name)
