"""Which store an address names. Another kind of store is one file beside this one, and one line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lakekey._imports import LOADING
from lakekey.cache.stores.places import scheme_of
from lakekey.errors import ConfigurationError

if TYPE_CHECKING:
    from lakekey.cache.stores.store import Store


def _postgresql(address: str) -> "Store":
    with LOADING:
        from lakekey.cache.stores.postgresql import PostgresqlStore

    return PostgresqlStore(address)


def _redis(address: str) -> "Store":
    with LOADING:
        from lakekey.cache.stores.redis import RedisStore

    return RedisStore(address)


#: Scheme of ``LAKEKEY_STORE`` → what opens such a store. Nothing is sent, and no driver is loaded, before it is used.
SHARED: Mapping[str, "Callable[[str], Store]"] = MappingProxyType(
    {
        "postgresql": _postgresql,
        "postgres": _postgresql,
        "redis": _redis,
        "rediss": _redis,
        "redis+sentinel": _redis,
        "rediss+sentinel": _redis,
    }
)


def shared_store(address: str) -> "Store":
    """The store that hosts share under an address.

    Args:
        address: Such as ``postgresql://user@host/database``.

    Raises:
        ConfigurationError: It is not an address of a store that this release has.
    """
    scheme = scheme_of(address)
    if scheme not in SHARED:
        known = ", ".join(("file:", "memory:", *(f"{name}://…" for name in SHARED)))
        # What is no address may be a password as a whole, so that nothing of it is quoted.
        what = (
            f"names a {scheme!r} store, which this release does not have" if scheme else "is not an address of a store"
        )
        raise ConfigurationError(f"store (LAKEKEY_STORE) {what}", hint=f"set it to one of {known}")
    return SHARED[scheme](address)
