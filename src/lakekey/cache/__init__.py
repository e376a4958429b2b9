"""The sealed token cache: entries, their envelope, the keys that seal them, and the store that keeps them.

Reading order: `entry` (what is kept), `envelope` (how it is sealed), `keys` (with what), `files` (where),
`sealed` (the four put together).
"""

from lakekey.cache.entry import Entry
from lakekey.cache.sealed import Cache, open_cache

__all__ = ["Cache", "Entry", "open_cache"]
