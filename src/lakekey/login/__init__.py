"""Signing a person in, on a laptop, over SSH, in a container or a notebook.

Reading order: `sign_in` (the sign-in as a whole), `redirect` (the address that the answer comes to), `listener` and
`callback` (receiving it), `browser` (opening one), `paste` (if no browser of this machine can bring the answer),
`preflight` (what is wrong with a custom app).

``lakekey.login(…)`` is the function of `lakekey.providers.notebook`. The import of this package takes the same name in
`lakekey`, so the package itself answers the call.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Login(ModuleType):
    def __call__(self, profile: str | None = None, *, switch: bool = False, **settings: Any) -> Any:
        return import_module("lakekey.providers.notebook").login(profile, switch=switch, **settings)


sys.modules[__name__].__class__ = _Login
