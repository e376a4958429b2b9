"""gevent's patches of the standard library, which are too late once TLS was in use.

A library that has imported ``ssl.SSLContext`` before ``gevent.monkey.patch_all()`` keeps the class from before. It
finds the patched class under its own name, and calls itself without end.
"""

import sys
from typing import Any

from lakekey.errors import ConfigurationError


def check(context_in_use: Any) -> None:
    """Refuse to begin an exchange that could not connect.

    Args:
        context_in_use: The ``SSLContext`` that the HTTP library has imported.

    Raises:
        ConfigurationError: gevent has replaced that class since.
    """
    monkey, ssl = (sys.modules.get(name) for name in ("gevent.monkey", "ssl"))
    is_patched = getattr(monkey, "is_module_patched", None)
    if is_patched is None or not is_patched("ssl") or getattr(ssl, "SSLContext", context_in_use) is context_in_use:
        return
    raise ConfigurationError(
        "gevent patched this program after TLS was in use, so no connection can be made",
        hint="call gevent.monkey.patch_all() first of all in the program, before it imports anything else",
    )
