"""lakekey signs every Databricks connector in, from one encrypted token cache that all processes share.

    >>> import lakekey
    >>> p = lakekey.provider("prod")
    >>> connection = lakekey.sql.connect(p)

Importing this module loads no connector, no HTTP library and no keyring; what is used is loaded when it is used.
"""

import sys

from lakekey._imports import LOADING, libraries
from lakekey.errors import (
    CacheError,
    CacheWriteFailed,
    ConfigurationError,
    CredentialsRefused,
    KeyUnavailable,
    LakekeyError,
    LockTimeout,
    LoginDenied,
    LoginFailed,
    LoginRequired,
    LoginTimeout,
    ServicePrincipalMissingWarning,
    StoreUnavailable,
    TokenEndpointError,
    TokenRefused,
    UnsafeCache,
    WrongIdentity,
)

TYPE_CHECKING = False  # as `typing` has it, which takes longer to load than all that `import lakekey` needs
if TYPE_CHECKING:
    from typing import Any

    from lakekey import airflow, sandbox, sdk, spark, sql, sqlalchemy, web
    from lakekey._version import __version__
    from lakekey.providers.factory import provider
    from lakekey.providers.notebook import login, logout, profiles
    from lakekey.providers.provider import Provider
    from lakekey.providers.token import Token
    from lakekey.rest import httpx_auth, requests_auth
    from lakekey.session.inventory import sessions
    from lakekey.session.keep_alive import keep_alive

_ATTRIBUTES = {
    "Provider": "lakekey.providers.provider",
    "Token": "lakekey.providers.token",
    "__version__": "lakekey._version",
    "httpx_auth": "lakekey.rest",
    "keep_alive": "lakekey.session.keep_alive",
    "logout": "lakekey.providers.notebook",
    "profiles": "lakekey.providers.notebook",
    "provider": "lakekey.providers.factory",
    "requests_auth": "lakekey.rest",
    "sessions": "lakekey.session.inventory",
}
# `lakekey.login` is a package, which answers the call.
_MODULES = ("airflow", "login", "sandbox", "sdk", "spark", "sql", "sqlalchemy", "web")

__all__ = [
    "CacheError",
    "CacheWriteFailed",
    "ConfigurationError",
    "CredentialsRefused",
    "KeyUnavailable",
    "LakekeyError",
    "LockTimeout",
    "LoginDenied",
    "LoginFailed",
    "LoginRequired",
    "LoginTimeout",
    "Provider",
    "ServicePrincipalMissingWarning",
    "StoreUnavailable",
    "Token",
    "TokenEndpointError",
    "TokenRefused",
    "UnsafeCache",
    "WrongIdentity",
    "__version__",
    "airflow",
    "httpx_auth",
    "keep_alive",
    "login",
    "logout",
    "profiles",
    "provider",
    "requests_auth",
    "sandbox",
    "sdk",
    "sessions",
    "spark",
    "sql",
    "sqlalchemy",
    "web",
]


if not TYPE_CHECKING:  # which would take any name for one of ours

    def __getattr__(name: str) -> "Any":
        if name in _MODULES:
            with libraries():
                return _module(f"lakekey.{name}")
        if name in _ATTRIBUTES:
            with LOADING:
                value = getattr(_module(_ATTRIBUTES[name]), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module 'lakekey' has no attribute {name!r}")

    def _module(name: str) -> "Any":
        __import__(name)
        return sys.modules[name]


def __dir__() -> list[str]:
    return sorted(__all__)
