"""Hosted sign-in: many people use one service, each as themselves.

`Portal` is an ASGI application with a page on which the users of a service connect to Databricks. `begin_sign_in` and
`finish_sign_in` are its two halves, for an application's own routes. It needs the extra ``web``; the halves do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries

if TYPE_CHECKING:
    from lakekey.web.browser import COOKIE, Cookie
    from lakekey.web.connections import Schedule
    from lakekey.web.forwarded import forwarded
    from lakekey.web.halves import BegunSignIn, begin_sign_in, finish_sign_in
    from lakekey.web.outcomes import Outcome
    from lakekey.web.people import User
    from lakekey.web.portal import Portal

_ATTRIBUTES = {
    "COOKIE": "browser",
    "BegunSignIn": "halves",
    "Cookie": "browser",
    "Outcome": "outcomes",
    "Portal": "portal",
    "Schedule": "connections",
    "User": "people",
    "begin_sign_in": "halves",
    "finish_sign_in": "halves",
    "forwarded": "forwarded",
}

__all__ = [
    "COOKIE",
    "BegunSignIn",
    "Cookie",
    "Outcome",
    "Portal",
    "Schedule",
    "User",
    "begin_sign_in",
    "finish_sign_in",
    "forwarded",
]


if not TYPE_CHECKING:  # which would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _ATTRIBUTES:
            raise AttributeError(f"module 'lakekey.web' has no attribute {name!r}")
        with libraries():
            value = getattr(import_module(f"lakekey.web.{_ATTRIBUTES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
