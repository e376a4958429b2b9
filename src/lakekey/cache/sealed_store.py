"""A store and what seals it: the keys in force, the store's clock, and an envelope's bytes as an entry."""

from __future__ import annotations

import contextlib
import time

from lakekey import _log
from lakekey._imports import LOADING
from lakekey.cache.entry import Entry
from lakekey.cache.envelope import NewerEnvelope, UnknownKey, unseal
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import KeyRing
from lakekey.errors import CacheError, CacheWriteFailed, KeyUnavailable, LakekeyError, UnsafeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lakekey.cache.newest_seen import NewestSeen
    from lakekey.cache.store_time import StoreTime
    from lakekey.cache.stores.store import Store

    #: What takes the place of a store in which nothing can be kept: where, under which keys, and why, in words.
    Substitute = tuple[Store, KeyRing, str]


class SealedStore:
    """A store of envelopes, with the keys that open and seal them. The arguments are those of `Cache`.

    Attributes:
        store: Where envelopes are kept.
        volatile: Why nothing can be kept beyond this process, in words; ``None`` if it can.
        replaceable: Whether what is kept can be had again without a person.
        clock: The store's, where hosts share it; ``None`` if this machine's clock is the store's.
        newest: The newest bytes seen of each entry, where hosts share the store.
    """

    clock: StoreTime | None
    newest: NewestSeen | None

    def __init__(
        self,
        store: Store,
        keys: KeyRing | Keys | Callable[[], Keys],
        *,
        volatile: str | None,
        instead: Callable[[Exception], Substitute] | None,
        replaceable: bool,
    ) -> None:
        self.store = store
        self.volatile = volatile
        self.replaceable = replaceable
        self.clock, self.newest = _followed() if store.shared else (None, None)
        self._instead = instead
        self._keys = keys if isinstance(keys, Keys) else None
        self._fixed = keys if isinstance(keys, KeyRing) else None
        self._find_keys = None if isinstance(keys, KeyRing | Keys) else keys
        self._generations: dict[tuple[str, bytes], int] = {}

    def __repr__(self) -> str:
        return f"{self.store.where}, key from {self.ring.source if self._find_keys is None else '…'}"

    def envelope(self, entry_id: str) -> bytes | None:
        """What the store has under a name; the store's clock is noticed where it has one."""
        if self.clock is None:
            return self.store.get(entry_id)
        asked_at = time.time()
        envelope, now = self.store.read(entry_id)
        self.clock.observe(now, asked_at, time.time())
        return envelope

    def together(self) -> AbstractContextManager[None]:
        """Several questions to the store, on one connection; no connection where a key has to be chosen in between.

        That may have to wait for another host, for which none is kept open.
        """
        with contextlib.suppress(LakekeyError):  # what is wrong with the keys, the question itself says
            keys = self.keys
            if keys is None or keys.chosen:
                return self.store.together()
        return contextlib.nullcontext()

    # -- the keys -----------------------------------------------------------------------------------------------

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
        """Where the keys come from; ``None`` if they live and die with this process."""
        find = self._find_keys  # another thread may have found them by the time that this one has
        if find is not None:
            self._keys = find()
            self._find_keys = None
        return self._keys

    def begin(self) -> None:
        """Make the store and choose its key where there are none; see `Cache.begin`."""
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
            self.store, self._fixed, self.volatile = self._instead(error)
            self._keys = None

    def require_same_key(self) -> None:
        """See `Keys.require_same`."""
        if self.clock is not None and self.keys is not None:
            self.keys.require_same()

    def current_ring(self) -> KeyRing:
        """The keys as they are now, for what is to be sealed."""
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

    def announced(self) -> tuple[KeyRing, bytes]:
        """The keys as last read, or as they are now where they never were; and the note that told where they are."""
        if not self.ring.keys:
            self.current_ring()
        return self.keys.announced if self.keys is not None else (self.ring, b"")

    # -- envelopes ----------------------------------------------------------------------------------------------

    def entry(self, entry_id: str, envelope: bytes) -> Entry:
        """What an envelope holds, in this machine's time. Raises as `open`, and `NewerEntry` or ValueError."""
        entry = Entry.from_bytes(self.open(entry_id, envelope))
        if len(self._generations) >= _MOST_GENERATIONS:
            self._generations.clear()
        self._generations[entry_id, envelope] = entry.generation
        if self.newest is not None:
            self.newest.note(entry_id, entry.generation, envelope)
        return entry if self.clock is None else self.clock.here(entry)

    def generation(self, entry_id: str, envelope: bytes) -> int:
        """The generation of what an envelope holds: bytes that were opened just now need not be opened again.

        Raises as `entry`.
        """
        known = self._generations.get((entry_id, envelope))
        return self.entry(entry_id, envelope).generation if known is None else known

    def open(self, entry_id: str, envelope: bytes) -> bytes:
        """Unseal an envelope; see `Cache.open`."""
        try:
            return unseal(self.ring, entry_id, envelope)
        except NewerEnvelope:
            key_id = ""
        except UnknownKey as unknown:
            key_id = unknown.key_id
        if not key_id:
            raise self.newer(entry_id)
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

    def newer(self, entry_id: str) -> CacheError:
        """The error of an entry that a later release wrote."""
        return CacheError(
            f"{self.store.place(entry_id)} was written by a later release of lakekey",
            hint="upgrade lakekey here: pip install --upgrade lakekey",
        )


def _followed() -> tuple[StoreTime, NewestSeen]:
    """What is kept of a store that changes beside us."""
    with LOADING:
        from lakekey.cache.newest_seen import NewestSeen
        from lakekey.cache.store_time import StoreTime

    return StoreTime(), NewestSeen()


_reported: set[str] = set()
_MOST_GENERATIONS = 16  # a write comes soon after the look at what it replaces
