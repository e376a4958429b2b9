"""Writing an entry: sealed under the key in force, in place of exactly what it supersedes.

An entry whose loss costs no session is kept in this process where it cannot be stored; see `lakekey.cache.unwritten`.
"""

import contextlib
from typing import TYPE_CHECKING, cast

from lakekey.cache import unwritten
from lakekey.cache.entry import Entry, NewerEntry, Stored
from lakekey.cache.envelope import BadEnvelope, seal
from lakekey.cache.keys.choice import NOTE
from lakekey.cache.refusals import Refusals
from lakekey.cache.sealed_store import SealedStore
from lakekey.cache.stores.store import Note
from lakekey.errors import CacheError, CacheWriteFailed, KeyUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakekey.cache.stores.store import SharedStore

_CHANGED = "had another key at each write of an entry"


def put(
    sealed: SealedStore, entry_id: str, entry: Entry, replaces: bytes | None, *, durable: bool, synced: bool
) -> Stored | None:
    """Store an entry; see `Cache.put`."""
    try:
        return _put(sealed, entry_id, entry, replaces, durable=durable, synced=synced)
    except (StoreUnavailable, CacheWriteFailed) as error:
        if not sealed.replaceable or (durable and isinstance(error, CacheWriteFailed)):
            raise
        unwritten.hold(sealed.store.where, entry_id, entry, replacing=replaces, error=error)
        return Stored(entry, replaces)


def _put(
    sealed: SealedStore, entry_id: str, entry: Entry, replaces: bytes | None, *, durable: bool, synced: bool
) -> Stored | None:
    sealed.begin()
    clock = sealed.clock
    generation = max(entry.generation, _generation(sealed, entry_id, replaces) + 1)
    if clock is not None:
        # So that it never falls, also where an entry begins again after a sign-out: a lower one is of the past.
        generation = max(generation, int(clock.now() * 1000))
    entry = entry._replace(generation=generation)
    plaintext = (entry if clock is None else clock.there(entry)).to_bytes()
    if clock is not None:
        return _put_shared(sealed, entry_id, entry, plaintext, replaces, durable=durable)
    written = list[bytes]()
    with _in_doubt_after(written):
        return _put_here(sealed, entry_id, entry, plaintext, replaces, durable=durable, synced=synced, written=written)


@contextlib.contextmanager
def _in_doubt_after(written: list[bytes]) -> "Iterator[None]":
    """Let an error that comes after a write say that this one may be what is stored."""
    try:
        yield
    except CacheError as error:
        error.in_doubt |= bool(written)
        raise


def _put_here(
    sealed: SealedStore,
    entry_id: str,
    entry: Entry,
    plaintext: bytes,
    replaces: bytes | None,
    *,
    durable: bool,
    synced: bool,
    written: list[bytes],
) -> Stored | None:
    """Store in a store of one machine, and take note of what was written."""
    ring = sealed.current_ring()
    refusals = Refusals(sealed.store, _CHANGED)
    before = replaces
    while True:
        try:
            if written:
                refusals.wait()  # inside, as below: a key that never stays is a write that failed, as on a full disk
            envelope = seal(ring, entry_id, plaintext)
            if not sealed.store.put(entry_id, envelope, replaces=replaces, synced=synced):
                return None
        except CacheWriteFailed as error:
            # What this call has written itself may be under a key that is gone, and so keeps no token safe.
            if durable or _would_lose(sealed, entry_id, entry, before):
                raise
            unwritten.hold(sealed.store.where, entry_id, entry, replacing=replaces, error=error)
            return Stored(entry, replaces)
        written.append(envelope)
        unwritten.forget(sealed.store.where, entry_id)
        # A key that was rotated out in between no longer opens what it has just sealed: seal it again. The
        # rotation, for its part, looks for such entries after it has announced the new key.
        now = sealed.current_ring()
        if now.current == ring.current:
            return Stored(entry, envelope)
        ring, replaces = now, envelope


def _put_shared(
    sealed: SealedStore, entry_id: str, entry: Entry, plaintext: bytes, replaces: bytes | None, *, durable: bool
) -> Stored | None:
    """Store in a store that hosts share, in one step with the question whether the key is still in force."""
    store = cast("SharedStore", sealed.store)
    refusals = Refusals(store, _CHANGED)
    while True:
        ring, said = sealed.announced()
        envelope = seal(ring, entry_id, plaintext)
        try:
            done = store.put(entry_id, envelope, replaces=replaces, under=Note(NOTE, said) if said else None)
            if not done and said:
                sealed.current_ring()
                if sealed.announced()[1] != said:
                    refusals.wait()
                    continue  # it was rotated
                # Where the new ring cannot be read, the old key opens it until the rotation is through.
                done = store.read_note(NOTE) != said and store.put(entry_id, envelope, replaces=replaces)
        except CacheWriteFailed as error:
            if durable or _would_lose(sealed, entry_id, entry, replaces):
                raise
            unwritten.hold(store.where, entry_id, entry, replacing=replaces, error=error)
            return Stored(entry, replaces)
        if not done:
            return None
        unwritten.forget(store.where, entry_id)
        if sealed.newest is not None:
            sealed.newest.note(entry_id, entry.generation, envelope)
        return Stored(entry, envelope)


def delete(sealed: SealedStore, entry_id: str, replaces: bytes | None) -> bool:
    """Remove an entry; see `Cache.delete`."""
    if replaces is not None:
        _generation(sealed, entry_id, replaces)  # which tells what a later release wrote
    held = unwritten.holds(sealed.store.where, entry_id)
    unwritten.forget(sealed.store.where, entry_id)
    return held if replaces is None else sealed.store.delete(entry_id, replaces=replaces)


def _generation(sealed: SealedStore, entry_id: str, replaces: bytes | None) -> int:
    """The generation of what a write replaces; 0 where that is nothing, or does not open."""
    held = unwritten.peek(sealed.store.where, entry_id, replaces)
    if held is not None:
        return held.generation
    if replaces is None:
        return 0
    try:
        return sealed.generation(entry_id, replaces)
    except NewerEntry:
        newer = sealed.newer(entry_id)
    except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
        return 0
    raise newer


def _would_lose(sealed: SealedStore, entry_id: str, entry: Entry, replaces: bytes | None) -> bool:
    """Whether a refresh token that others could not go on without would be known to this process only."""
    if replaces is None or unwritten.holds(sealed.store.where, entry_id):
        return False
    try:
        stored = sealed.entry(entry_id, replaces)
    except (BadEnvelope, KeyUnavailable, ValueError, TypeError):
        return False
    is_new_sign_in = entry.logged_in_at != stored.logged_in_at
    return entry.refresh_token not in ("", stored.refresh_token) and not is_new_sign_in
