"""Changing the master key while others work: a new key seals, everything is sealed again, the old key goes.

1. The new key joins the ring, in front: old entries still open.
2. The change is announced in ``cache.json``: from here on nobody seals under the old key (`Cache.put` looks).
3. Every entry under another key is sealed again, under its own lock, until a pass over all finds none.
4. The old keys leave the ring.

Each step leaves a cache that opens. Killed at any point, the next rotation finds more than one key in the ring, makes
no further one, and goes on from step 2.
"""

import os
from typing import NamedTuple

from lakekey import _log
from lakekey.cache import private_files
from lakekey.cache.cache import Cache
from lakekey.cache.envelope import key_id_of, seal
from lakekey.cache.keys import choice
from lakekey.cache.keys.choice import Pin
from lakekey.cache.keys.first_use import fill, only_one, plan
from lakekey.cache.keys.ring import KeyRing, format_ring, key_id, new_key
from lakekey.cache.keys.sources import FILES, Keys, own_source, pin_of, ring_of
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, KeyUnavailable, LockTimeout

_PATIENCE = 90.0  # longer than a refresh with all its retries holds an entry


class Rotation(NamedTuple):
    """How a rotation went.

    Attributes:
        current: The id of the key that seals now, in hexadecimal.
        continued: Whether it went on with one that had been interrupted.
        resealed: How many entries were sealed again.
        dropped: The ids of the keys that left the ring.
        unused: The ids of keys that nothing is sealed under any more, but that are not ours to drop.
        busy: Entries that somebody held all the time; where there are some, the old keys stay.
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
        patience: How long to wait for an entry that somebody holds, in seconds.

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
        raise ConfigurationError("the key of this cache lives and dies with its process", hint="nothing has to be done")
    try:
        with only_one(keys.directory):
            return _rotate(cache, keys, to, patience)
    except OSError as error:
        raise CacheWriteFailed(
            f"cannot change the key of the cache in {keys.directory}: {error.strerror or type(error).__name__}",
            hint=f"free or fix that place, then run it again: df -h {keys.directory}",
        ) from None


def _rotate(cache: Cache, keys: Keys, to: str | None, patience: float) -> Rotation:
    ring = keys.read()
    pin = pin_of(keys.directory, choice.stamp(keys.directory)) or Pin(ring.source, ring.why)
    moves = to is not None and to != pin.source
    if pin.source in ("env", "mounted") and not moves:
        if len(ring.keys) == 1:
            raise _not_ours(ring)
        resealed, busy, unreadable = _reseal(cache, ring, patience)
        return Rotation(ring.current.hex(), False, resealed, (), () if busy else _others(ring), busy, unreadable)
    continued = len(ring.keys) > 1 and not moves
    keys_then = _in_order(ring) if continued else (new_key(), *_in_order(ring))
    former = pin
    if to is not None and moves:
        pin = fill(plan(to, "it was moved there", keys.environ), keys.directory, keys.environ, keys_then)
    elif not continued:
        own_source(pin, keys.directory, keys.environ).write(format_ring(keys_then))
    ring, pin = _announce(pin, keys, keys_then)
    _log.info(
        "cache", "a new key for the token cache in %s, kept by source %s: %s", keys.directory, pin.source, pin.why
    )
    resealed, busy, unreadable = _reseal(cache, ring, patience)
    dropped = () if busy else _others(ring)
    if dropped:
        own_source(pin, keys.directory, keys.environ).write(format_ring(keys_then[:1]))
        _announce(pin, keys, keys_then[:1])
    if not busy:
        _tidy(former, pin, keys)
    return Rotation(ring.current.hex(), continued, resealed, dropped, (), busy, unreadable)


def _announce(pin: Pin, keys: Keys, then: tuple[bytes, ...]) -> tuple[KeyRing, Pin]:
    pin = pin._replace(current=key_id(then[0]).hex(), rotations=pin.rotations + 1)
    choice.write(keys.directory, pin)
    return ring_of(own_source(pin, keys.directory, keys.environ), pin.why), pin


def _in_order(ring: KeyRing) -> tuple[bytes, ...]:
    return (ring.keys[ring.current], *(ring.keys[name] for name in ring.keys if name != ring.current))


def _others(ring: KeyRing) -> tuple[str, ...]:
    return tuple(sorted(name.hex() for name in ring.keys if name != ring.current))


def _tidy(former: Pin, pin: Pin, keys: Keys) -> None:
    """Remove the places that held the ring before it was moved; what they hold opens nothing any more."""
    if former.source == "keyring" and former.item != pin.item:
        try:
            own_source(former, keys.directory, keys.environ).erase()
        except KeyUnavailable as error:
            _log.warning("cache", "the old key is left in the keyring, where it opens nothing: %s", error.message)
    for source, name in FILES.items():
        if source != pin.source:
            private_files.remove(os.path.join(keys.directory, name))


def _reseal(cache: Cache, ring: KeyRing, patience: float) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    resealed, busy, unreadable, refused = 0, set[str](), set[str](), dict[str, CacheError]()
    while True:
        # Again from the start, until nothing is left: entries are made while we work.
        passed = busy | unreadable | refused.keys()
        left = [name for name in cache.list() if name not in passed and _is_old(cache, ring, name)]
        if not left:
            break
        for entry_id in left:
            try:
                resealed += _reseal_one(cache, ring, entry_id, patience)
            except LockTimeout:
                busy.add(entry_id)
            except KeyUnavailable:
                unreadable.add(entry_id)
            except CacheWriteFailed:
                raise
            except CacheError as error:  # open to others, say: it is ours again once that is fixed
                refused[entry_id] = error
    if refused:
        raise next(iter(refused.values()))
    return resealed, tuple(sorted(busy)), tuple(sorted(unreadable))


def _is_old(cache: Cache, ring: KeyRing, entry_id: str) -> bool:
    try:
        envelope = cache.store.get(entry_id)
    except CacheError:
        return True
    return envelope is not None and key_id_of(envelope) != ring.current.hex()


def _reseal_one(cache: Cache, ring: KeyRing, entry_id: str, patience: float) -> bool:
    """Seal an entry again. Returns whether it had to be."""
    with cache.locked(entry_id, patience=patience) as stored:
        envelope = stored.envelope
        if stored.entry is None or envelope is None or key_id_of(envelope) == ring.current.hex():
            return False
        plaintext = cache.open(entry_id, envelope)
        return cache.store.put(entry_id, seal(ring, entry_id, plaintext), replaces=envelope)


def _not_ours(ring: KeyRing) -> ConfigurationError:
    if ring.source == "env":
        how = f"set {ring.where} to a new key and the old one, in this order, wherever it is set"
    else:
        how = f"put a new key above the old one in {ring.where}"
    return ConfigurationError(
        f"the key of this cache comes from {ring.where}, which is not ours to change",
        hint=f"{how}, then run: lakekey keys rotate",
    )
