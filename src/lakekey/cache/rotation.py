"""Changing the master key while others work: a new key seals, all is sealed again, the old key is dropped.

1. The new key joins the ring, in front: old entries still open.
2. The change is announced in ``cache.json``: from here on nothing is sealed under the old key (`Cache.put` looks).
3. Every entry under another key is sealed again, under its own lock, until a pass over all finds none.
4. The old keys leave the ring.

Each step leaves a cache that opens. Killed at any point, the next rotation finds more than one key in the ring, makes
no further one, and goes on from step 2.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from lakekey import _log
from lakekey._commands import free_space
from lakekey.cache.cache import Cache
from lakekey.cache.keys import anchor, file, passphrase
from lakekey.cache.keys.choice import ChangedElsewhere, KeyChoice, raw_choice, write_choice
from lakekey.cache.keys.first_use import fill, plan
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.kms import services, wrapped_ring
from lakekey.cache.keys.ring import KeyRing, format_ring, key_id, new_key
from lakekey.cache.keys.sources import GIVEN, choice_of, open_source, own_source, require_for_all, ring_of
from lakekey.cache.resealing import changed_elsewhere, reseal
from lakekey.errors import (
    CacheWriteFailed,
    ConfigurationError,
    KeyUnavailable,
)
from lakekey.observability import audit

if TYPE_CHECKING:
    from lakekey.cache.keys.source import OwnKeySource

_NOTES = MappingProxyType({"file": file.NOTE, "passphrase": passphrase.NOTE, "kms": wrapped_ring.NOTE})
_PATIENCE = 90.0  # longer than a refresh with all its retries holds an entry


class Rotation(NamedTuple):
    """How a rotation went.

    Attributes:
        current: The id of the key that seals now, in hexadecimal.
        continued: Whether it went on with one that had been interrupted.
        resealed: How many entries were sealed again.
        dropped: The ids of the keys that left the ring.
        unused: The ids of keys that nothing is sealed under any more, but that are not ours to drop.
        busy: Entries that another process held all the time; where there are some, the old keys stay.
        unreadable: Entries that no key of the ring opens; they are left as they are.
    """

    current: str
    continued: bool
    resealed: int
    dropped: tuple[str, ...]
    unused: tuple[str, ...]
    busy: tuple[str, ...]
    unreadable: tuple[str, ...]


def rotate(cache: Cache, *, to: str | None = None, patience: float = _PATIENCE) -> Rotation:
    """Rotate the master key of a cache.

    Args:
        cache: The cache.
        to: The source to move the ring to; ``None`` to leave it where it is.
        patience: How long to wait for an entry that another process holds, in seconds.

    Returns:
        How it went.

    Raises:
        ConfigurationError: The key is not ours to change: it comes from the environment or a mounted file.
        UnsafeCache, CacheError: An entry is not to be read as it is. All others are sealed again; the old keys stay
            for it, and the next rotation goes on.
        KeyUnavailable, CacheWriteFailed, LockTimeout: As they say.
    """
    keys = cache.keys
    if keys is None:
        raise ConfigurationError("the key of this cache exists in this process only", hint="nothing has to be done")
    try:
        keys.read()  # a first key is chosen under the same lock
        with keys.place.changing_key():
            done = _rotate(cache, keys, to, patience)
    except ChangedElsewhere:
        raise changed_elsewhere(keys) from None
    except OSError as error:
        raise CacheWriteFailed(
            f"cannot change the key of the cache in {keys.place.where}: {error.strerror or type(error).__name__}",
            hint=f"free or fix that place, then run it again: {free_space(keys.place.where)}",
        ) from None
    audit.record(
        audit.KEY_CHANGE,
        environ=keys.environ,
        outcome=audit.FAILED if done.busy else audit.DONE,
        action="moved" if to is not None else "rotated",
        detail=f"{cache.ring.source} {done.current}, {done.resealed} sealed again",
        store=keys.place.where,
    )
    return done


def _rotate(cache: Cache, keys: Keys, to: str | None, patience: float) -> Rotation:
    keys.read()
    raw = raw_choice(keys.place)  # all that follows replaces this choice and the ring read after it, and nothing newer
    chosen = choice_of(keys.place, raw) or KeyChoice(keys.ring.source, keys.ring.why)
    keys.believe(chosen)
    source = open_source(chosen, keys.place, keys.environ)
    ring = ring_of(source, chosen.why)
    moves = to is not None and _moves(chosen, to, keys)
    if chosen.source in GIVEN and not moves:
        if len(ring.keys) == 1:
            raise _not_ours(ring)
        with cache.store.together():
            resealed, busy, unreadable = reseal(cache, keys, ring, raw, patience)
        if cache.store.shared and not busy:
            _announce_given(keys, chosen, ring, raw)
        return Rotation(ring.current.hex(), False, resealed, (), () if busy else _others(ring), busy, unreadable)
    continued = len(ring.keys) > 1 and not moves
    keys_then = _in_order(ring) if continued else (new_key(), *_in_order(ring))
    former = chosen
    if to is not None and moves:
        require_for_all(keys.place, to)
        planned = plan(to, "it was moved there", keys.environ)
        chosen = planned._replace(cache=former.cache or planned.cache)
        own = own_source(chosen, keys.place, keys.environ)
        chosen = fill(chosen, own, keys_then)
    else:
        own = own_source(chosen, keys.place, keys.environ)
        if ring_of(own).keys != ring.keys:
            raise changed_elsewhere(keys)
        if not continued:
            own.write(format_ring(keys_then))
    ring, chosen = _announce(chosen, own, keys, keys_then, raw)
    _log.info(
        "cache",
        "a new key for the token cache in %s, kept by source %s: %s",
        keys.place.where,
        chosen.source,
        chosen.why,
    )
    with cache.store.together():
        resealed, busy, unreadable = reseal(cache, keys, ring, chosen.to_bytes(), patience)
    dropped = () if busy else _others(ring)
    if dropped:
        own.write(format_ring(keys_then[:1]))
        _announce(chosen, own, keys, keys_then[:1], chosen.to_bytes())
    if not busy:
        _tidy(former, chosen, keys)
    return Rotation(ring.current.hex(), continued, resealed, dropped, (), busy, unreadable)


def _moves(chosen: KeyChoice, to: str, keys: Keys) -> bool:
    """Whether a rotation takes the ring to another source, or to another key management service."""
    service = services.configured(keys.environ)
    return to != chosen.source or (to == "kms" and service not in ("", chosen.kms))


def _announce(
    chosen: KeyChoice, source: "OwnKeySource", keys: Keys, then: tuple[bytes, ...], replaces: bytes
) -> tuple[KeyRing, KeyChoice]:
    chosen = chosen._replace(current=key_id(then[0]).hex(), rotations=chosen.rotations + 1)
    # The copy outside is never stronger than what is chosen here, wherever this is killed. Other processes of this
    # user follow to a service of which it knows.
    if chosen.source == anchor.WEAKEST:
        anchor.remember(keys.environ, keys.place.where, chosen)
    elif chosen.source == "kms":
        anchor.expect(keys.environ, keys.place.where, chosen)
    if not write_choice(keys.place, chosen, replaces=replaces):
        raise changed_elsewhere(keys)
    anchor.remember(keys.environ, keys.place.where, chosen)
    return ring_of(source, chosen.why), chosen


def _announce_given(keys: Keys, chosen: KeyChoice, ring: KeyRing, replaces: bytes) -> None:
    """Say which key seals now, so that a host that has the old one alone notices before it writes."""
    current = ring.current.hex()
    if chosen.current != current:
        announced = chosen._replace(current=current, rotations=chosen.rotations + 1)
        if not write_choice(keys.place, announced, replaces=replaces):
            raise changed_elsewhere(keys)


def _in_order(ring: KeyRing) -> tuple[bytes, ...]:
    return (ring.keys[ring.current], *(ring.keys[name] for name in ring.keys if name != ring.current))


def _others(ring: KeyRing) -> tuple[str, ...]:
    return tuple(sorted(name.hex() for name in ring.keys if name != ring.current))


def _tidy(former: KeyChoice, chosen: KeyChoice, keys: Keys) -> None:
    """Remove the places that held the ring before it was moved; what they hold opens nothing any more."""
    if former.source == "keyring" and former.item != chosen.item:
        try:
            own_source(former, keys.place, keys.environ).erase()
        except KeyUnavailable as error:
            _log.warning("cache", "the old key is left in the keyring, where it opens nothing: %s", error.message)
    for source, name in _NOTES.items():
        if source != chosen.source:
            keys.place.remove_note(name)


def _not_ours(ring: KeyRing) -> ConfigurationError:
    if ring.source == "env":
        how = f"set {ring.where} to a new key and the old one, in this order, wherever it is set"
    else:
        how = f"put a new key above the old one in {ring.where}"
    return ConfigurationError(
        f"the key of this cache comes from {ring.where}, which lakekey cannot change",
        hint=f"{how}, then run: lakekey keys rotate",
    )
