"""The cache: entries in, entries out; sealed in between."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache import unwritten
from lakekey.cache.entry import DISCOVERY_PREFIX, WEB_PREFIX, Entry, NewerEntry
from lakekey.cache.envelope import BadEnvelope, NewerEnvelope, UnknownKey, seal, unseal
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import KeyRing
from lakekey.errors import CacheError, CacheWriteFailed, KeyUnavailable, StoreUnavailable, UnsafeCache

if TYPE_CHECKING:
    from lakekey.cache.store_time import StoreTime
    from lakekey.cache.stores.store import Store


class Substitute(NamedTuple):
    """What takes the place of a store in which nothing can be kept.

    Attributes:
        store: Where envelopes are kept instead.
        ring: The keys that seal them.
        reason: Why, in words.
    """

    store: "Store"
    ring: KeyRing
    reason: str


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
        keys: The keys that seal them: a ring, or one that is read again when it changes, or what finds that one when
            it is needed: in a store that hosts share, this asks the store.
        volatile: Why nothing can be kept beyond this process, in words; ``None`` where it can.
        instead: Gives what to use where the store can be neither made nor used safely, or raises the error that it
            is given.
        replaceable: Whether what is kept can be had again without a person, as a service principal's tokens can. Then
            a shared store that is away costs a request more and no error.
    """

    def __init__(
        self,
        store: "Store",
        keys: KeyRing | Keys | Callable[[], Keys],
        *,
        volatile: str | None = None,
        instead: Callable[[Exception], Substitute] | None = None,
        replaceable: bool = False,
    ) -> None:
        self.store = store
        self.volatile = volatile
        self._replaceable = replaceable
        self._time = _store_time() if store.shared else None
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._instead = instead
        self._keys = keys if isinstance(keys, Keys) else None
        self._fixed = keys if isinstance(keys, KeyRing) else None
        self._find_keys = None if isinstance(keys, KeyRing | Keys) else keys

    def __repr__(self) -> str:
        return f"Cache({self.store.where}, key from {self.ring.source if self._find_keys is None else '…'})"

    @property
    def ring(self) -> KeyRing:
        """The keys, as last read; `NO_RING` before anything is sealed."""
        keys = self.keys
        if keys is not None:
            return keys.ring
        assert self._fixed is not None
        return self._fixed

    @property
    def keys(self) -> Keys | None:
        """Where the keys come from; ``None`` where they live and die with this process."""
        if self._find_keys is not None:
            self._keys, self._find_keys = self._find_keys(), None
        return self._keys

    def begin(self) -> None:
        """Make the store and choose its key where there are none; called before the first write.

        Raises:
            ConfigurationError, CacheError: The store or its key cannot be used.
        """
        keys = self.keys
        if keys is None:
            return
        if keys.chosen:
            keys.remember()
            return
        try:
            self.store.prepare()
            keys.current()
        except (CacheWriteFailed, UnsafeCache, OSError) as error:
            if self._instead is None:
                raise
            substitute = self._instead(error)
            self.store, self._fixed, self.volatile = substitute
            self._keys = None

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
            envelope = self._envelope(entry_id)
        except StoreUnavailable as error:
            if not self._replaceable:
                raise
            unwritten.report(self.store.where, entry_id, error)
            return Stored(unwritten.latest(self.store.where, entry_id), None)
        if (held := unwritten.get(self.store.where, entry_id, envelope)) is not None:
            return Stored(held, envelope)
        if envelope is None:
            return Stored(None, None)
        try:
            return Stored(self._entry(entry_id, envelope), envelope)
        except NewerEntry:
            newer = self._newer(entry_id)
        except (BadEnvelope, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, BadEnvelope) else "its content is not an entry"
            # One that cannot be moved away is what a write has to replace.
            return Stored(None, None if self._set_aside(entry_id, envelope, reason) else envelope)
        raise newer

    def _envelope(self, entry_id: str) -> bytes | None:
        if self._time is None:
            return self.store.get(entry_id)
        asked_at = time.time()
        envelope, now = self.store.read(entry_id)
        self._time.observe(now, asked_at, time.time())
        return envelope

    def _entry(self, entry_id: str, envelope: bytes) -> Entry:
        """What an envelope holds, in this machine's time."""
        entry = Entry.from_bytes(self.open(entry_id, envelope))
        if self._time is None:
            return entry
        self._remember(entry_id, entry, envelope)
        return self._time.here(entry)

    def _remember(self, entry_id: str, entry: Entry, envelope: bytes) -> None:
        """Keep the newest bytes of an entry in a store that may go back in time."""
        if entry.generation >= self._newest.get(entry_id, (0, b""))[0]:
            self._newest.pop(entry_id, None)
            self._newest[entry_id] = entry.generation, envelope
            while len(self._newest) > _REMEMBERED:  # of a process that serves many people, the latest ones
                self._newest.pop(next(iter(self._newest)), None)

    def heal(self, entry_id: str, stored: Stored) -> bool:
        """Offer a store that went back in time the newer bytes, if this process still has them.

        Args:
            entry_id: Which entry.
            stored: What the store has of it.

        Returns:
            Whether the store has them now, or another process has changed the entry meanwhile.
        """
        generation, envelope = self._newest.get(entry_id, (0, b""))
        if stored.entry is None or generation <= stored.entry.generation:
            return False
        _log.warning(
            "cache", "%s went back in time; the newer entry %s is put there again", self.store.where, entry_id[:12]
        )
        self.store.put(entry_id, envelope, replaces=stored.envelope)
        return True

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
            return unseal(self.keys.look() if self.keys is not None else self.ring, entry_id, envelope)
        except UnknownKey:
            pass
        place = self.store.place(entry_id)
        held = f"in {self.ring.where} (current key {self.ring.current.hex()})" if self.ring.keys else "at hand"
        raise KeyUnavailable(
            f"{place} is sealed under key {key_id}, which is not {held}",
            hint="restore that key; if it is lost for good, remove the entry and sign in again: "
            f"{self.store.removal(entry_id)}",
        )

    def _newer(self, entry_id: str) -> CacheError:
        return CacheError(
            f"{self.store.place(entry_id)} was written by a later release of lakekey",
            hint="upgrade lakekey here: pip install --upgrade lakekey",
        )

    def put(self, entry_id: str, entry: Entry, *, replaces: bytes | None, durable: bool = False) -> Stored | None:
        """Store an entry durably, if ``replaces`` are still the bytes that it supersedes.

        Its generation is counted here: one more than that of what it replaces. Where nothing can be written, an entry
        whose loss costs no session is kept in this process instead, and that is reported once.

        Args:
            entry_id: Which.
            entry: What to store.
            replaces: What it supersedes; ``None``: nothing.
            durable: Whether it has to be in the store.

        Returns:
            The entry as it was stored, or ``None`` where other bytes were there.

        Raises:
            CacheWriteFailed: It could not be stored, and it holds a refresh token that succeeds a stored one.
            CacheError: A later release wrote what it would replace.
        """
        try:
            return self._put(entry_id, entry, replaces, durable=durable)
        except StoreUnavailable as error:
            if not self._replaceable:
                raise
            unwritten.keep(self.store.where, entry_id, entry, beside=replaces, error=error)
            return Stored(entry, replaces)

    def _put(self, entry_id: str, entry: Entry, replaces: bytes | None, *, durable: bool) -> Stored | None:
        self.begin()
        generation = max(entry.generation, self._generation(entry_id, replaces) + 1)
        if self._time is not None:
            # So that it never falls, also where an entry begins again after a sign-out: a lower one is of the past.
            generation = max(generation, int(self._time.now() * 1000))
        entry = entry._replace(generation=generation)
        plaintext = (entry if self._time is None else self._time.there(entry)).to_bytes()
        # A shared store is asked after the write only, which is when it counts.
        ring = self.ring if self._time is not None and self.ring.keys else self._current_ring()
        while True:
            envelope = seal(ring, entry_id, plaintext)
            try:
                if not self.store.put(entry_id, envelope, replaces=replaces):
                    return None
            except CacheWriteFailed as error:
                if durable or self._would_lose(entry_id, entry, replaces):
                    raise
                unwritten.keep(self.store.where, entry_id, entry, beside=replaces, error=error)
                return Stored(entry, replaces)
            unwritten.forget(self.store.where, entry_id)
            if self._time is not None:
                self._remember(entry_id, entry, envelope)
            # A key that was rotated out in between no longer opens what it has just sealed: seal it again. The
            # rotation, for its part, looks for such entries after it has announced the new key.
            try:
                now = self._current_ring()
            except StoreUnavailable:
                return Stored(entry, envelope)  # it is written: to say otherwise would cost an intent, or an answer
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
            return self._entry(entry_id, replaces).generation
        except NewerEntry:
            newer = self._newer(entry_id)
        except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
            return 0
        raise newer

    def delete(self, entry_id: str, *, replaces: bytes | None) -> bool:
        """Remove an entry, if ``replaces`` are still the bytes that are there; ``None``: it is in this process only.

        Raises:
            CacheError: A later release wrote it.
        """
        if replaces is not None:
            self._generation(entry_id, replaces)  # which tells what a later release wrote
        held = unwritten.holds(self.store.where, entry_id)
        unwritten.forget(self.store.where, entry_id)
        return held if replaces is None else self.store.delete(entry_id, replaces=replaces)

    def list(self) -> list[str]:
        """The ids of all sessions. What is kept of authorization servers and of a portal lies beside them."""
        return [name for name in self.store.list() if not name.startswith((DISCOVERY_PREFIX, WEB_PREFIX))]

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
            return f"{who} holds entry {entry_id[:12]} of {self.store.where}"

        return wait_for(
            lambda: self.lock(entry_id, to_write=to_write), lambda: self.read(entry_id), who_and_what, patience, pause
        )

    def still_locked(self, entry_id: str) -> bool:
        """Whether the lock that this process took is still its own, as far as that is known here."""
        return self.store.still_locked(entry_id)

    def now(self) -> float:
        """The time by which entries are stored, in epoch seconds (UTC)."""
        return time.time() if self._time is None else self._time.now()

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
        away: StoreUnavailable | None = None
        try:
            if to_write:
                self.begin()
        except StoreUnavailable as error:
            away = error
        with contextlib.ExitStack() as stack:
            try:
                if away is not None:
                    raise away
                held = stack.enter_context(self.store.lock(entry_id, to_write=to_write))
                if held and to_write and self._time is None:
                    self._current_ring()  # what keeps us from sealing is said before a token is spent, not after
            except StoreUnavailable:
                if not self._replaceable:
                    raise
                held = stack.enter_context(unwritten.lock(entry_id))
            except CacheWriteFailed as error:
                if to_write and self._would_spend(entry_id):
                    error.message += "; the session is not renewed, since its next refresh token could not be kept"
                    raise
                held = stack.enter_context(unwritten.lock(entry_id))
            yield held

    def _current_ring(self) -> KeyRing:
        keys = self.keys
        if keys is None:
            return self.ring
        try:
            return keys.current()
        except KeyUnavailable as error:
            if not self.ring.keys:
                raise
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
            stored = self._entry(entry_id, replaces)
        except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
            return False
        signed_in_anew = entry.logged_in_at != stored.logged_in_at
        return entry.refresh_token not in ("", stored.refresh_token) and not signed_in_anew

    def _set_aside(self, entry_id: str, envelope: bytes, reason: str) -> bool:
        """Move a bad envelope out of the way. Returns whether it is, or will be by the holder of the entry's lock."""
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


def _store_time() -> "StoreTime":
    with LOADING:
        from lakekey.cache.store_time import StoreTime

    return StoreTime()


_reported: set[str] = set()
_REMEMBERED = 200  # entries of a shared store, of a few kilobytes each
