"""The cache: entries in, entries out; sealed in between."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache import unwritten
from lakekey.cache.entry import DISCOVERY_PREFIX, Entry, NewerEntry
from lakekey.cache.envelope import BadEnvelope, NewerEnvelope, UnknownKey, seal, unseal
from lakekey.cache.keys.ring import KeyRing, key_id, new_key
from lakekey.cache.keys.sources import Keys
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.store import Store
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, KeyUnavailable


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
        keys: The keys that seal them: a ring, or one that is read again when it changes.
        volatile: Why nothing can be kept beyond this process, in words; ``None`` where it can.
    """

    def __init__(self, store: Store, keys: KeyRing | Keys, *, volatile: str | None = None) -> None:
        self.store = store
        self.volatile = volatile
        self._keys = None if isinstance(keys, KeyRing) else keys
        self._fixed = keys if isinstance(keys, KeyRing) else None

    def __repr__(self) -> str:
        return f"Cache({self.store.where}, key from {self.ring.source})"

    @property
    def ring(self) -> KeyRing:
        """The keys, as last read."""
        if self._keys is not None:
            return self._keys.ring
        assert self._fixed is not None
        return self._fixed

    @property
    def keys(self) -> Keys | None:
        """Where the keys come from; ``None`` where they live and die with this process."""
        return self._keys

    def get(self, entry_id: str) -> Entry | None:
        """The entry, or ``None``."""
        return self.read(entry_id).entry

    def read(self, entry_id: str) -> Stored:
        """The entry, together with the bytes that `put` and `delete` compare.

        A bad envelope loses only itself: it is set aside, reported, and counts as none.

        Raises:
            KeyUnavailable: It is sealed under a key that is not at hand. It is left as it is.
            CacheError: It cannot or must not be read; a later release wrote it, and it is left as it is.
        """
        envelope = self.store.get(entry_id)
        if (held := unwritten.get(self.store.where, entry_id, envelope)) is not None:
            return Stored(held, envelope)
        if envelope is None:
            return Stored(None, None)
        try:
            return Stored(Entry.from_bytes(self.open(entry_id, envelope)), envelope)
        except NewerEntry:
            newer = self._newer(entry_id)
        except (BadEnvelope, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, BadEnvelope) else "its content is not an entry"
            # One that cannot be moved away is what a write has to replace.
            return Stored(None, None if self._set_aside(entry_id, envelope, reason) else envelope)
        raise newer

    def open(self, entry_id: str, envelope: bytes) -> bytes:
        """Unseal an envelope; one under a key that is new to this process makes it read the ring once more.

        Raises:
            BadEnvelope: It is none, or not the one that was sealed under this name.
            KeyUnavailable: It is sealed under a key that is not at hand.
            CacheError: A later release sealed it.
        """
        try:
            return unseal(self.ring, entry_id, envelope)
        except NewerEnvelope:
            key_id = ""
        except UnknownKey as unknown:
            key_id = unknown.key_id
        if not key_id:
            raise self._newer(entry_id)
        try:
            return unseal(self._keys.read() if self._keys is not None else self.ring, entry_id, envelope)
        except UnknownKey:
            pass
        place = self.store.place(entry_id)
        raise KeyUnavailable(
            f"{place} is sealed under key {key_id}, which is not in {self.ring.where} "
            f"(current key {self.ring.current.hex()})",
            hint=f"bring that key back; if it is lost for good, remove the entry and sign in again: rm {place}",
        )

    def _newer(self, entry_id: str) -> CacheError:
        return CacheError(
            f"{self.store.place(entry_id)} was written by a later release of lakekey",
            hint="upgrade lakekey here: pip install --upgrade lakekey",
        )

    def put(self, entry_id: str, entry: Entry, *, replaces: bytes | None) -> Stored | None:
        """Store an entry durably, if ``replaces`` are still the bytes that it supersedes.

        Its generation is counted here: one more than that of what it replaces. Where nothing can be written, an entry
        whose loss costs no session is kept in this process instead, and that is reported once.

        Returns:
            The entry as it was stored, or ``None`` where other bytes were there.

        Raises:
            CacheWriteFailed: It could not be stored, and it holds a refresh token that succeeds a stored one.
            CacheError: A later release wrote what it would replace.
        """
        entry = entry._replace(generation=max(entry.generation, self._generation(entry_id, replaces) + 1))
        plaintext = entry.to_bytes()
        ring = self._current_ring()
        while True:
            envelope = seal(ring, entry_id, plaintext)
            try:
                if not self.store.put(entry_id, envelope, replaces=replaces):
                    return None
            except CacheWriteFailed as error:
                if self._would_lose(entry_id, entry, replaces):
                    raise
                unwritten.keep(self.store.where, entry_id, entry, beside=replaces, error=error)
                return Stored(entry, replaces)
            unwritten.forget(self.store.where, entry_id)
            # A key that was rotated out in between no longer opens what it has just sealed: seal it again. The
            # rotation, for its part, looks for such entries after it has announced the new key.
            now = self._current_ring()
            if now.current == ring.current:
                return Stored(entry, envelope)
            ring, replaces = now, envelope

    def _generation(self, entry_id: str, replaces: bytes | None) -> int:
        """The generation of what a write replaces; 0 where that is nothing, or does not open."""
        held = unwritten.peek(self.store.where, entry_id, replaces)
        if held is not None:
            return held.generation
        if replaces is None:
            return 0
        try:
            return Entry.from_bytes(self.open(entry_id, replaces)).generation
        except NewerEntry:
            newer = self._newer(entry_id)
        except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
            return 0
        raise newer

    def delete(self, entry_id: str, *, replaces: bytes | None) -> bool:
        """Remove an entry, if ``replaces`` are still the bytes that are there; ``None``: it is in this process only."""
        held = unwritten.holds(self.store.where, entry_id)
        unwritten.forget(self.store.where, entry_id)
        return held if replaces is None else self.store.delete(entry_id, replaces=replaces)

    def list(self) -> list[str]:
        """The ids of all sessions. What is remembered of authorization servers lies beside them, and is none."""
        return [name for name in self.store.list() if not name.startswith(DISCOVERY_PREFIX)]

    def keeps(self, entry_id: str) -> bool:
        """Whether an entry outlives this process."""
        return self.volatile is None and not unwritten.holds(self.store.where, entry_id)

    def locked(
        self,
        entry_id: str,
        *,
        patience: float,
        to_write: bool = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> AbstractContextManager[Stored]:
        """Wait for an entry's lock; the context's value is the entry as it is under the lock.

        Args:
            entry_id: Which.
            patience: How long to wait, in seconds.
            to_write: Whether something is to be stored under it; see `lock`.
            pause: Waits for some seconds between two tries. What it raises ends the wait.

        Raises:
            LockTimeout: Others held it all the time.
            CacheError: As `lock` and `read` say.
        """
        with LOADING:
            from lakekey.cache.entry_lock import wait_for

        def who_and_what() -> str:
            who = self.store.holder(entry_id) or "another process"
            return f"{who} holds entry {entry_id[:12]} of {self.store.where}"

        return wait_for(
            lambda: self.lock(entry_id, to_write=to_write), lambda: self.read(entry_id), who_and_what, patience, pause
        )

    @contextlib.contextmanager
    def lock(self, entry_id: str, *, to_write: bool = True) -> Iterator[bool]:
        """Try once to lock an entry; the context's value says whether it succeeded.

        Where nothing can be written, the lock holds in this process only.

        Args:
            entry_id: Which.
            to_write: Whether an exchange's answer is to be stored under it; see `Store.lock`.

        Raises:
            CacheWriteFailed: A refresh under it would spend a stored refresh token, and its successor would be lost.
            CacheError: The cache has become one that must not be written to.
        """
        with contextlib.ExitStack() as stack:
            try:
                held = stack.enter_context(self.store.lock(entry_id, to_write=to_write))
            except CacheWriteFailed as error:
                if to_write and self._would_spend(entry_id):
                    error.message += "; the session is not renewed, since its next refresh token could not be kept"
                    raise
                held = stack.enter_context(unwritten.lock(entry_id))
            if held and to_write:
                self._current_ring()  # what keeps us from sealing is said before a refresh token is spent, not after
            yield held

    def _current_ring(self) -> KeyRing:
        if self._keys is None:
            return self.ring
        try:
            return self._keys.current()
        except KeyUnavailable as error:
            # The ring was changed, and the new one cannot be read now. What is to be sealed may be the only token
            # that still lives, and the key that is at hand opens it until the rotation is through.
            if error.message not in _reported:
                _reported.add(error.message)
                _log.warning("cache", "%s", error)
            return self.ring
        except OSError:  # the ring was taken away, and where no first key can be written, no entry can be
            return self.ring

    def _would_spend(self, entry_id: str) -> bool:
        """Whether an exchange would cost others the refresh token that is stored."""
        entry = self.read(entry_id).entry
        spends = entry is not None and bool(entry.refresh_token) and entry.rotates is not False
        return spends and not unwritten.holds(self.store.where, entry_id)

    def _would_lose(self, entry_id: str, entry: Entry, replaces: bytes | None) -> bool:
        """Whether a refresh token that others could not go on without would be known to this process only."""
        if replaces is None or unwritten.holds(self.store.where, entry_id):
            return False
        try:
            stored = Entry.from_bytes(self.open(entry_id, replaces))
        except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
            return False
        signed_in_anew = entry.logged_in_at != stored.logged_in_at
        return entry.refresh_token not in ("", stored.refresh_token) and not signed_in_anew

    def _set_aside(self, entry_id: str, envelope: bytes, reason: str) -> bool:
        """Move a bad envelope out of the way. Returns whether it is, or will be by whoever holds the entry's lock."""
        place = self.store.place(entry_id)
        try:
            aside = self.store.set_aside(entry_id, envelope)
        except CacheWriteFailed:
            if place not in _reported:
                _reported.add(place)
                _log.warning(
                    "cache", "entry %s is unusable (%s), and %s cannot be moved away", entry_id[:12], reason, place
                )
            return False
        if aside is not None:
            _log.warning("cache", "entry %s is unusable (%s); set aside as %s", entry_id[:12], reason, aside)
        return True


_memory_cache: Cache | None = None
_reported: set[str] = set()


def open_cache(environ: Mapping[str, str] | None = None, *, place: str | None = None, moving: bool = False) -> Cache:
    """Open a cache.

    Args:
        environ: The environment, for ``LAKEKEY_CACHE_DIR`` and ``LAKEKEY_KEY…``; ``None`` for this process's.
        place: ``file:``, ``file:DIRECTORY`` or ``memory:``; ``None`` for what ``LAKEKEY_STORE`` says.
        moving: Whether its key is about to be moved to the source that the environment names.

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
    if not directory:
        return _in_memory("there is no home directory to keep tokens in", "LAKEKEY_CACHE_DIR=/a/directory/of/yours")
    store = FileStore(os.path.abspath(os.path.expanduser(directory)))
    try:
        store.prepare()
        return Cache(store, Keys(store.where, environ, moving=moving))
    except CacheWriteFailed as error:
        return _in_memory(error.message, error.hint)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _in_memory(f"cannot make a key in {store.where}: {reason}", f"ls -ld {store.where}")


def cache_directory(environ: Mapping[str, str]) -> str:
    """Where the file store lives: ``LAKEKEY_CACHE_DIR``, else the platform's directory for a user's state.

    Returns:
        The directory, or ``""`` for a user who has no home.
    """
    configured = environ.get("LAKEKEY_CACHE_DIR", "").strip()
    if configured:
        return os.path.expanduser(configured)
    if sys.platform in ("win32", "darwin"):
        with LOADING:
            import platformdirs

        return platformdirs.user_state_dir("lakekey", appauthor=False)
    # The XDG rule, which is all that platformdirs would add here, at a third of the cold-start budget.
    base = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return os.path.join(base, "lakekey")
    # A HOME that is set to nothing would mean the root of the file system.
    home = os.path.expanduser("~") if environ.get("HOME", "~") else ""
    return os.path.join(home, ".local", "state", "lakekey") if os.path.isabs(home) else ""


def _in_memory(reason: str, remedy: str | None) -> Cache:
    """What to do where nothing can be kept: serve from memory, and say so once."""
    shared = _shared_memory()
    if reason not in _reported:
        _reported.add(reason)
        _log.warning("cache", "%s; tokens are kept in the memory of this process only (%s)", reason, remedy)
    return Cache(shared.store, shared.ring, volatile=reason)


def _shared_memory() -> Cache:
    global _memory_cache  # noqa: PLW0603 - one store for the process is what the setting means
    if _memory_cache is None:
        with LOADING:
            from lakekey.cache.stores.memory import MemoryStore

        key = new_key()
        ring = KeyRing({key_id(key): key}, key_id(key), "memory", "this process")
        _memory_cache = Cache(MemoryStore(), ring)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_disown_memory)
    return _memory_cache


def _disown_memory() -> None:
    """In a forked child: what is in memory is the parent's."""
    cache = _shared_memory()
    for entry_id in cache.store.list():
        stored = cache.read(entry_id)
        if stored.entry is not None and (kept := unwritten.disowned(stored.entry)) is not stored.entry:
            cache.put(entry_id, kept, replaces=stored.envelope)
