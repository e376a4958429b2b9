"""Sealing all entries again under a new key, while other processes read and write them."""

import contextlib
import itertools
from functools import partial
from typing import TYPE_CHECKING, cast

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY_PREFIX
from lakekey.cache.envelope import BadEnvelope, key_id_of, seal
from lakekey.cache.keys.choice import NOTE, raw_choice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.ring import KeyRing
from lakekey.cache.refusals import Refusals
from lakekey.cache.stores.store import Note
from lakekey.errors import CacheError, CacheWriteFailed, KeyUnavailable, LockTimeout, StoreUnavailable

if TYPE_CHECKING:
    from lakekey.cache.stores.store import SharedStore

_AT_ONCE = 200  # entries of a shared store, of a few kilobytes each


def reseal(
    cache: Cache, keys: Keys, ring: KeyRing, said: bytes, patience: float
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Seal all entries under a ring, for as long as the note about the key says what was announced with that ring.

    Args:
        cache: The cache.
        keys: Where its keys come from.
        ring: The ring.
        said: What was announced with it.
        patience: How long to wait for an entry that another process holds, in seconds.

    Returns:
        How many entries were sealed again; which another process held all the time; which no key of the ring opens.

    Raises:
        LockTimeout: Another host has changed the key meanwhile.
        CacheWriteFailed, StoreUnavailable: As they say.
        CacheError: An entry is not to be read as it is. All others are sealed again.
    """
    under = Note(NOTE, said) if cache.store.shared and said else None
    resealed, busy, unreadable, refused = 0, set[str](), set[str](), dict[str, CacheError]()
    rounds = _Rounds(cache, patience)
    while True:
        # Again from the start, until nothing is left: entries are made while we work.
        passed = busy | unreadable | refused.keys()
        left = 0
        old = (each for each in cache.envelopes() if each[0] not in passed and _is_old(ring, *each))
        while page := list(itertools.islice(old, _AT_ONCE)):
            left += len(page)
            _require_unchanged(keys, under)
            done = _reseal_idle(cache, ring, page, under)
            resealed += len(done)
            for entry_id in (name for name, _ in page if name not in done):
                try:
                    resealed += _reseal_one(cache, ring, entry_id, patience, under)
                except LockTimeout:
                    busy.add(entry_id)
                except KeyUnavailable:
                    unreadable.add(entry_id)
                except (CacheWriteFailed, StoreUnavailable):
                    raise
                except CacheError as error:  # open to others, say: it is ours again once that is fixed
                    refused[entry_id] = error
        if not left:
            break
        rounds.end(resealed + len(busy) + len(unreadable) + len(refused))
    if refused:
        raise next(iter(refused.values()))
    return resealed, tuple(sorted(busy)), tuple(sorted(unreadable))


class _Rounds:
    """The rounds through a store. In one that only says no, those in which nothing is done have an end."""

    def __init__(self, cache: Cache, patience: float) -> None:
        self._start = partial(
            Refusals, cache.store, "took none of the entries that were sealed again", patience=patience
        )
        self._done, self._refusals = 0, self._start()

    def end(self, done: int) -> None:
        if done == self._done:
            self._refusals.wait()
        else:
            self._done, self._refusals = done, self._start()


def _require_unchanged(keys: Keys, under: Note | None) -> None:
    """Stop a rotation that stood still, and that another host has taken over meanwhile. Raises `LockTimeout`."""
    if under is not None and raw_choice(keys.place) != under.content:
        raise changed_elsewhere(keys)


def _reseal_idle(
    cache: Cache, ring: KeyRing, page: list[tuple[str, bytes | CacheError | None]], under: Note | None
) -> set[str]:
    """Seal those of a shared store again that no process is at work on, in one step. Returns which.

    Each by itself, under its lock, takes four questions: for a hundred thousand, many minutes.
    """
    if not cache.store.shared:
        return set()
    swaps = []
    for entry_id, envelope in page:
        if isinstance(envelope, bytes):
            with contextlib.suppress(CacheError, BadEnvelope):
                swaps.append((entry_id, envelope, seal(ring, entry_id, cache.open(entry_id, envelope))))
    return cast("SharedStore", cache.store).swap_page(swaps, under=under) if swaps else set()


def _is_old(ring: KeyRing, entry_id: str, envelope: bytes | CacheError | None) -> bool:
    if entry_id.startswith(DISCOVERY_PREFIX):
        return False
    if isinstance(envelope, CacheError):
        return True
    return envelope is not None and key_id_of(envelope) != ring.current.hex()


def _reseal_one(cache: Cache, ring: KeyRing, entry_id: str, patience: float, under: Note | None) -> bool:
    """Seal an entry again. Returns whether it had to be.

    Raises:
        KeyUnavailable: No key opens it; a damaged one was left where it is, since it cannot be moved away.
    """
    with cache.locked(entry_id, patience=patience) as stored:
        envelope = stored.envelope
        if stored.entry is None and envelope is not None:
            raise KeyUnavailable(f"{cache.store.place(entry_id)} is damaged")
        if stored.entry is None or envelope is None or key_id_of(envelope) == ring.current.hex():
            return False
        plaintext = cache.open(entry_id, envelope)
        sealed = seal(ring, entry_id, plaintext)
        if under is None:
            return cache.store.put(entry_id, sealed, replaces=envelope)
        return cast("SharedStore", cache.store).put(entry_id, sealed, replaces=envelope, under=under)


def changed_elsewhere(keys: Keys) -> LockTimeout:
    """The error of a process whose change of the key another one has taken over."""
    return LockTimeout(
        f"another process has changed the key of the cache in {keys.place.where} at the same time",
        hint="look at it with: lakekey keys",
    )
