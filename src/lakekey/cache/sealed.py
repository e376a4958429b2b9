"""The cache: entries in, entries out; sealed in between."""

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.entry import Entry
from lakekey.cache.envelope import BadEnvelope, UnknownKey, seal, unseal
from lakekey.cache.files import FileStore
from lakekey.cache.keys import KEY_BYTES, KeyRing, key_id, load_ring
from lakekey.cache.store import Store
from lakekey.errors import ConfigurationError, KeyUnavailable


class Stored(NamedTuple):
    """An entry as it was read: what it says, and the very bytes that a write has to replace.

    Attributes:
        entry: The entry, or ``None`` where there is none that opens.
        envelope: The bytes read, or ``None``.
    """

    entry: Entry | None
    envelope: bytes | None


class Cache:
    """Sealed entries in a store.

    Args:
        store: Where envelopes are kept.
        ring: The keys that seal them.
    """

    def __init__(self, store: Store, ring: KeyRing) -> None:
        self.store = store
        self.ring = ring

    def __repr__(self) -> str:
        return f"Cache({self.store.where}, key from {self.ring.source})"

    def get(self, entry_id: str) -> Entry | None:
        """The entry, or ``None``."""
        return self.read(entry_id).entry

    def read(self, entry_id: str) -> Stored:
        """The entry, together with the bytes that `put` and `delete` compare.

        A bad envelope loses only itself: it is set aside, reported, and counts as none.

        Raises:
            KeyUnavailable: It is sealed under a key that is not at hand. It is left as it is.
        """
        envelope = self.store.get(entry_id)
        if envelope is None:
            return Stored(None, None)
        try:
            return Stored(Entry.from_bytes(unseal(self.ring, entry_id, envelope)), envelope)
        except UnknownKey as unknown:
            raise KeyUnavailable(
                f"the session in {self.store.where} is sealed under key {unknown.key_id}, but {self.ring.where} "
                f"holds {self.ring.current.hex()}",
                hint="bring that key back, or sign in again with: lakekey login",
            ) from None
        except (BadEnvelope, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, BadEnvelope) else "its content is not of this release"
        aside = self.store.set_aside(entry_id, envelope)
        if aside is not None:
            _log.warning("cache", "entry %s is unusable (%s); set aside as %s", entry_id[:12], reason, aside)
        return Stored(None, None)

    def put(self, entry_id: str, entry: Entry, *, replaces: bytes | None) -> bool:
        """Store an entry durably, if ``replaces`` are still the bytes that it supersedes.

        Returns:
            Whether it was stored.

        Raises:
            CacheWriteFailed: It could not be stored.
        """
        return self.store.put(entry_id, seal(self.ring, entry_id, entry.to_bytes()), replaces=replaces)

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """Remove an entry, if ``replaces`` are still the bytes that are there."""
        return self.store.delete(entry_id, replaces=replaces)

    def list(self) -> list[str]:
        """The ids of all sessions. What is remembered of authorization servers lies beside them, and is none."""
        return [name for name in self.store.list() if not name.startswith("discovery-")]

    def lock(self, entry_id: str) -> AbstractContextManager[bool]:
        """Try once to lock an entry; the context's value says whether it succeeded."""
        return self.store.lock(entry_id)


_memory_cache: Cache | None = None


def open_cache(environ: Mapping[str, str] | None = None, *, place: str | None = None) -> Cache:
    """Open a cache.

    Args:
        environ: The environment, for ``LAKEKEY_CACHE_DIR`` and ``LAKEKEY_KEY…``; ``None`` for this process's.
        place: ``file:``, ``file:DIRECTORY`` or ``memory:``; ``None`` for what ``LAKEKEY_STORE`` says.

    Raises:
        ConfigurationError: The store is none of ours.
        CacheError: It cannot be used as it is.
    """
    environ = os.environ if environ is None else environ
    place = (environ.get("LAKEKEY_STORE", "") if place is None else place).strip()
    if place == "memory:":
        return _shared_memory()
    if place not in ("", "file:") and not place.startswith("file:"):
        scheme = place.partition(":")[0]
        raise ConfigurationError(
            f"store (LAKEKEY_STORE) names a {scheme!r} store, which this release does not have",
            hint="set it to file: or memory:",
        )
    directory = place.removeprefix("file:") or cache_directory(environ)
    store = FileStore(os.path.abspath(os.path.expanduser(directory)))
    store.prepare()
    return Cache(store, load_ring(store.where, environ, create=True))


def cache_directory(environ: Mapping[str, str]) -> str:
    """Where the file store lives: ``LAKEKEY_CACHE_DIR``, else the platform's directory for a user's state."""
    configured = environ.get("LAKEKEY_CACHE_DIR", "").strip()
    if configured:
        return os.path.expanduser(configured)
    if sys.platform in ("win32", "darwin"):
        import platformdirs

        return platformdirs.user_state_dir("lakekey", appauthor=False)
    # The XDG rule, which is all that platformdirs would add here, at a third of the cold-start budget.
    base = environ.get("XDG_STATE_HOME", "")
    home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base if os.path.isabs(base) else home, "lakekey")


def _shared_memory() -> Cache:
    global _memory_cache  # noqa: PLW0603 - one store for the process is what the setting means
    if _memory_cache is None:
        from lakekey.cache.memory import MemoryStore

        key = os.urandom(KEY_BYTES)
        ring = KeyRing({key_id(key): key}, key_id(key), "memory", "this process")
        _memory_cache = Cache(MemoryStore(), ring)
    return _memory_cache
