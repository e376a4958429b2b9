"""Opening a cache: which store, where it is, and memory where nothing can be kept."""

from __future__ import annotations

import contextlib
import os
import sys

from lakekey import _log
from lakekey._imports import LOADING, expanded
from lakekey.cache import private_files, unwritten
from lakekey.cache.cache import Cache
from lakekey.cache.envelope import key_id_of
from lakekey.cache.keys import file
from lakekey.cache.keys.choice import NOTE, Damaged
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import KeyRing, key_id, new_key
from lakekey.cache.keys.sources import choice_of
from lakekey.cache.stores.file import FileStore
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, KeyUnavailable, UnsafeCache, with_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakekey.cache.sealed_store import Substitute
    from lakekey.cache.stores.store import Store

_memory_cache: Cache | None = None
_reported: set[str] = set()


def open_cache(
    environ: Mapping[str, str] | None = None, *, place: str | None = None, moving: bool = False, needed: bool = True
) -> Cache:
    """Open a cache. Nothing is made or written before something is to be sealed.

    Args:
        environ: The environment, for ``LAKEKEY_CACHE_DIR`` and ``LAKEKEY_KEY…``; ``None`` for this process's.
        place: ``file:``, ``file:DIRECTORY``, ``memory:``, or the address of a store that hosts share
            (`lakekey.cache.stores.addresses`); ``None`` for what ``LAKEKEY_STORE`` says.
        moving: Whether its key is about to be moved to the source that the environment names.
        needed: Whether what is kept has to outlive this process, as a person's session has. A service principal signs
            in again by itself, so a place that is not safe, or cannot be, is one warning to it, and no error, and so is
            a key that only another user may read. An entry in a safe place that cannot or must not be read is an error
            for both.

    Raises:
        ConfigurationError: The store is not one of ours, or the cache directory's name is too long and is needed.
        CacheError: It cannot be used as it is.
    """
    environ = os.environ if environ is None else environ
    place = (environ.get("LAKEKEY_STORE", "") if place is None else place).strip()
    if place == "memory:":
        return _shared_memory()
    if is_shared(place):
        return _open_shared(place, environ, moving=moving, needed=needed)
    directory = place.removeprefix("file:") or cache_directory(environ)
    if not directory:
        return _in_memory(
            _substitute("there is no home directory to keep tokens in", "LAKEKEY_CACHE_DIR=/a/directory/of/yours")
        )
    try:
        store = FileStore(os.path.abspath(with_home(expanded(directory), "LAKEKEY_STORE")))
    except FileNotFoundError:  # a relative path, and the current directory was removed
        return _in_memory(
            _substitute(f"the current directory is gone, below which {directory} is", "name it by an absolute path")
        )
    return _open_files(store, environ, moving=moving, needed=needed)


def is_shared(place: str) -> bool:
    """Whether a place is neither this machine's files nor this process's memory."""
    return place not in ("", "memory:") and not place.startswith("file:")


def _open_files(store: FileStore, environ: Mapping[str, str], *, moving: bool, needed: bool) -> Cache:
    def instead(error: Exception) -> Substitute:
        if needed and isinstance(error, UnsafeCache | ConfigurationError):
            raise error
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            return _substitute(
                f"cannot make a key in {store.where}: {reason}", private_files.remedy(store.where, error)
            )
        assert isinstance(error, CacheError | ConfigurationError)
        return _substitute(error.message, error.hint)

    try:
        store.check()
    except (UnsafeCache, CacheWriteFailed, ConfigurationError) as error:  # the last: its name is too long
        return _in_memory(instead(error))
    try:
        keys = Keys(store, environ, moving=moving, sealed_under=lambda: _sealed_under(store))
    except (UnsafeCache, CacheWriteFailed) as error:
        return _in_memory(instead(error))
    except KeyUnavailable as error:
        if needed or not _is_another_users(store):
            raise
        return _in_memory(instead(error))
    return Cache(store, keys, instead=instead)


def _is_another_users(store: FileStore) -> bool:
    """Whether this user may not read where the key is, though it is there: another user has used the cache."""
    try:
        note = store.read_note(NOTE)
        with contextlib.suppress(Damaged):
            choice = choice_of(store, note or b"")
            if choice is not None and choice.source != "file":
                return False  # a key file that is left there is not its key
        store.read_note(file.NOTE)
    except PermissionError as error:
        return not private_files.is_in_use(error)  # which passes
    except (OSError, CacheError):
        return False
    return False


def _open_shared(place: str, environ: Mapping[str, str], *, moving: bool, needed: bool) -> Cache:
    with LOADING:
        from lakekey.cache.stores.addresses import shared_store

    store = shared_store(place)

    def keys() -> Keys:
        return Keys(store, environ, moving=moving, sealed_under=lambda: _sealed_under(store))

    return Cache(store, keys, replaceable=not needed)


def _sealed_under(store: Store) -> frozenset[str]:
    """The ids of the keys that a store's entries name."""
    with LOADING:
        from lakekey.cache.stores.pages import all_entries

    found = {key_id_of(read.envelope or b"") for _, read in all_entries(store) if not isinstance(read, CacheError)}
    return frozenset(found - {""})


def cache_directory(environ: Mapping[str, str]) -> str:
    """Where the file store lives: ``LAKEKEY_CACHE_DIR``, else the platform's directory for a user's state.

    Returns:
        The directory, or ``""`` for a user who has no home.
    """
    configured = environ.get("LAKEKEY_CACHE_DIR", "").strip()
    if configured:
        return with_home(expanded(configured), "LAKEKEY_CACHE_DIR")
    if sys.platform == "win32":
        with LOADING:
            import platformdirs

        try:
            found = platformdirs.user_state_dir("lakekey", appauthor=False)
        except (OSError, ValueError):  # Windows has no such directory for an account whose profile is not loaded
            return ""
        # Earlier releases then answer with a path below the current directory.
        return found if os.path.isabs(found) else ""
    # The XDG rule, which is all that platformdirs would add here, at a third of the cold-start budget. Its releases
    # differ in whether the rule holds on macOS, too, and a session must not move with them.
    base = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return os.path.join(base, "lakekey")
    # A HOME that is set to nothing would mean the root of the file system.
    home = os.path.expanduser("~") if environ.get("HOME", "~") else ""
    state = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "state")
    return os.path.join(home, *state, "lakekey") if os.path.isabs(home) else ""


def _substitute(reason: str, remedy: str | None) -> Substitute:
    """What to do where nothing can be kept: serve from memory, and say so once."""
    shared = _shared_memory()
    if reason not in _reported:
        _reported.add(reason)
        _log.warning("cache", "%s; tokens are kept in the memory of this process only (%s)", reason, remedy)
    return shared.store, shared.ring, reason


def _in_memory(substitute: Substitute) -> Cache:
    memory, ring, why = substitute
    return Cache(memory, ring, volatile=why)


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
        if stored.entry is not None and (kept := unwritten.without_refresh_token(stored.entry)) is not stored.entry:
            cache.put(entry_id, kept, replaces=stored.envelope)
