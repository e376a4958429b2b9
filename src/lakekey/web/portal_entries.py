"""The entries of a store that are connections made through a portal."""

from collections.abc import Iterator

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.errors import CacheError


def walk(cache: Cache, *, strict: bool) -> Iterator[tuple[str, Entry]]:
    """Each of them, with its id.

    Args:
        cache: The store.
        strict: Whether an entry that cannot be read is an error, and not left out.

    Raises:
        CacheError: The store cannot be read, or an entry of it where that counts.
    """
    for entry_id, stored in cache.walk():
        if isinstance(stored, CacheError):
            if strict:
                raise stored
            _log.warning("web", "entry %s cannot be read: %s", entry_id[:12], stored.message)
        elif stored.entry is not None and "portal_user" in stored.entry.about:
            yield entry_id, stored.entry
