"""The cache: entries in, entries out; sealed in between."""

from __future__ import annotations

import time

from lakekey._imports import LOADING
from lakekey.cache import unwritten
from lakekey.cache.entry import DISCOVERY_PREFIX, WEB_PREFIX, Entry, NewerEntry, Stored
from lakekey.cache.envelope import BadEnvelope
from lakekey.cache.sealed_store import SealedStore
from lakekey.errors import CacheError, StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lakekey.cache.keys.in_force import Keys
    from lakekey.cache.keys.ring import KeyRing
    from lakekey.cache.sealed_store import Substitute
    from lakekey.cache.stores.store import Store


class Cache:
    """Sealed entries in a store.

    Args:
        store: Where envelopes are kept.
        keys: The keys that seal them: a ring, or one that is read again when it changes, or what finds that one when
            it is needed: in a store that hosts share, this asks the store.
        volatile: Why nothing can be kept beyond this process, in words; ``None`` if it can.
        instead: Gives what to use where the store can be neither made nor used safely, or raises the error that it
            is given.
        replaceable: Whether what is kept can be had again without a person, as a service principal's tokens can. Then
            a shared store that is away costs a request more and no error.
    """

    def __init__(
        self,
        store: Store,
        keys: KeyRing | Keys | Callable[[], Keys],
        *,
        volatile: str | None = None,
        instead: Callable[[Exception], Substitute] | None = None,
        replaceable: bool = False,
    ) -> None:
        self._sealed = SealedStore(store, keys, volatile=volatile, instead=instead, replaceable=replaceable)

    def __repr__(self) -> str:
        return f"Cache({self._sealed!r})"

    @property
    def store(self) -> Store:
        """Where envelopes are kept."""
        return self._sealed.store

    @property
    def volatile(self) -> str | None:
        """Why nothing can be kept beyond this process, in words; ``None`` if it can."""
        return self._sealed.volatile

    @property
    def ring(self) -> KeyRing:
        """The keys, as last read; `NO_RING` before anything is sealed."""
        return self._sealed.ring

    @property
    def keys(self) -> Keys | None:
        """Where the keys come from; ``None`` if they live and die with this process."""
        return self._sealed.keys

    def begin(self) -> None:
        """Make the store and choose its key where there are none; for what is useless unless it is written.

        Raises:
            ConfigurationError, CacheError: The store or its key cannot be used, or is not that of the other hosts.
        """
        self._sealed.begin()
        self._sealed.require_same_key()

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
        try:
            return self._stored(entry_id, self._sealed.envelope(entry_id))
        except StoreUnavailable as error:  # at once, or where what was read has to be moved away or needs another key
            if not self._sealed.replaceable:
                raise
            unwritten.report(self.store.where, entry_id, error)
            return Stored(unwritten.latest(self.store.where, entry_id), None)

    def _stored(self, entry_id: str, envelope: bytes | None) -> Stored:
        """What was read, opened; see `read`."""
        if (held := unwritten.get(self.store.where, entry_id, envelope)) is not None:
            return Stored(held, envelope)
        if envelope is None:
            return Stored(None, None)
        try:
            return Stored(self._sealed.entry(entry_id, envelope), envelope)
        except NewerEntry:
            newer = self._sealed.newer(entry_id)
        except (BadEnvelope, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, BadEnvelope) else "its content is not an entry"
            with LOADING:
                from lakekey.cache.damaged import set_aside

            # One that cannot be moved away is what a write has to replace.
            moved = set_aside(self.store, entry_id, envelope, reason)
            return Stored(None, None if moved else envelope, damaged=True)
        raise newer

    def heal(self, entry_id: str, stored: Stored) -> bool:
        """Offer a store that went back in time the newer bytes, if this process still has them.

        Args:
            entry_id: Which entry.
            stored: What the store has of it.

        Returns:
            Whether the store has them now, or another process has changed the entry meanwhile.
        """
        newest = self._sealed.newest
        return newest is not None and newest.heal(self.store, entry_id, stored)

    def open(self, entry_id: str, envelope: bytes) -> bytes:
        """Unseal an envelope; one under a key that is new to this process makes it read the ring once more.

        Raises:
            BadEnvelope: It is not an envelope, or not the one that was sealed under this name.
            KeyUnavailable: It is sealed under a key that is not at hand.
            CacheError: A later release sealed it.
        """
        return self._sealed.open(entry_id, envelope)

    def put(
        self, entry_id: str, entry: Entry, *, replaces: bytes | None, durable: bool = False, synced: bool = True
    ) -> Stored | None:
        """Store an entry durably, if ``replaces`` are still the bytes that it supersedes.

        Its generation is counted here: one more than that of what it replaces. Where nothing can be written, an entry
        whose loss costs no session is kept in this process instead, and that is reported once.

        Args:
            entry_id: Which.
            entry: What to store.
            replaces: What it supersedes; ``None``: nothing.
            durable: Whether it has to be in the store.
            synced: Whether it has to outlast a loss of power; see `Store.put`.

        Returns:
            The entry as it was stored, or ``None`` if other bytes were there.

        Raises:
            CacheWriteFailed: It could not be stored, and it holds a refresh token that succeeds a stored one.
            CacheError: A later release wrote what it would replace.
        """
        with LOADING:
            from lakekey.cache import writing

        return writing.put(self._sealed, entry_id, entry, replaces, durable=durable, synced=synced)

    def delete(self, entry_id: str, *, replaces: bytes | None) -> bool:
        """Remove an entry, if ``replaces`` are still the bytes that are there; ``None``: it is in this process only.

        Raises:
            CacheError: A later release wrote it.
        """
        with LOADING:
            from lakekey.cache import writing

        return writing.delete(self._sealed, entry_id, replaces)

    def list(self) -> list[str]:
        """The ids of all sessions. What is kept of authorization servers and of a portal lies beside them."""
        return [name for name in self.store.list() if not name.startswith((DISCOVERY_PREFIX, WEB_PREFIX))]

    def walk(self, *, after: str = "") -> Iterator[tuple[str, Stored | CacheError]]:
        """All sessions in order, each as `read` has it, or what it raises.

        A store that hosts share is asked for pages, so that the memory that this takes, and the number of questions,
        stay small where there are a hundred thousand.

        Args:
            after: Begin behind this id.

        Raises:
            StoreUnavailable: A shared store cannot be reached.
        """
        for entry_id, envelope in self.envelopes(after=after):
            if entry_id.startswith((DISCOVERY_PREFIX, WEB_PREFIX)):
                continue
            try:
                if isinstance(envelope, CacheError):
                    raise envelope
                yield entry_id, self._stored(entry_id, envelope)
            except StoreUnavailable:
                raise
            except CacheError as error:
                yield entry_id, error

    def envelopes(self, *, after: str = "") -> Iterator[tuple[str, bytes | CacheError | None]]:
        """All that is stored, in order and sealed; where an envelope cannot be read, what that raises."""
        with LOADING:
            from lakekey.cache.stores.pages import all_entries

        clock = self._sealed.clock
        observe = clock.observe if clock is not None else None
        for entry_id, found in all_entries(self.store, after=after, observe=observe):
            yield entry_id, found if isinstance(found, CacheError) else found.envelope

    def kept(self) -> tuple[str, ...]:
        """The ids of all that a changed key or another store must not lose: sessions, secrets, and a portal's rows."""
        return tuple(name for name in self.store.list() if not name.startswith(DISCOVERY_PREFIX))

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
            return f"{who} has held entry {entry_id[:12]} of {self.store.where}"

        return wait_for(
            lambda: self.lock(entry_id, to_write=to_write), lambda: self.read(entry_id), who_and_what, patience, pause
        )

    def still_locked(self, entry_id: str) -> bool:
        """Whether the lock that this process took is still its own, as far as that is known here."""
        return self.store.still_locked(entry_id)

    def in_store_time(self, entry: Entry) -> Entry:
        """An entry as `get` returns it, with the store's times: to be shown alike by hosts whose clocks differ."""
        return entry if self._sealed.clock is None else self._sealed.clock.there(entry)

    def now(self) -> float:
        """The time by which entries are stored, in epoch seconds (UTC)."""
        return time.time() if self._sealed.clock is None else self._sealed.clock.now()

    def lock(self, entry_id: str, *, to_write: bool = True) -> AbstractContextManager[bool]:
        """Try once to lock an entry; the context's value says whether it succeeded.

        Where nothing can be written, the lock holds in this process only.

        Args:
            entry_id: Which.
            to_write: Whether an exchange's answer is to be stored under it; see `Store.lock`.

        Raises:
            CacheWriteFailed: A refresh under it would spend a stored refresh token, and its successor would be lost.
            CacheError: The cache has become one that must not be written to.
        """
        with LOADING:
            # What writes is loaded with what locks: nothing is, while other processes wait for the lock.
            from lakekey.cache import entry_lock, writing  # noqa: F401

        return entry_lock.attempt(self._sealed, entry_id, lambda: self.read(entry_id), to_write=to_write)

    def together(self) -> AbstractContextManager[None]:
        """See `SealedStore.together`."""
        return self._sealed.together()
