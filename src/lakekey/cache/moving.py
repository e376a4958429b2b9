"""Moving a cache to another store while programs run.

One refresh token in two stores would be spent from both. So an entry is stored in the new place first, and then loses
its refresh token in the old one, all under its lock there. A program that still uses the old store keeps its access
token until that expires, and is then told where the session has gone.
"""

import time
from typing import NamedTuple

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY, Entry, Failure, Stored
from lakekey.errors import CacheError

_PATIENCE = 60.0  # seconds; longer than a refresh holds an entry


class Moved(NamedTuple):
    """How a move went.

    Attributes:
        moved: The ids of the entries that are in the new store now.
        left: Those that stay, and why.
    """

    moved: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def move(source: Cache, target: Cache) -> Moved:
    """Move all sessions and sealed secrets of a cache.

    Args:
        source: The cache that they are in.
        target: The cache that gets them; what it has already is not touched.

    Raises:
        KeyUnavailable: The new place is sealed under another key than this process would seal with, or one of the two
            names a key that others may have put there (`lakekey.cache.keys.confirmation`).
        CacheError: A store cannot be used at all.
    """
    for cache in (source, target):
        if cache.keys is not None:
            cache.keys.look()  # else each entry would be refused by itself, without the next step
    _require_same_key(target)  # by a look, which also finds out whether the place is there at all
    entry_ids = source.kept()
    if entry_ids:  # else nothing is made in the new place
        target.begin()
        _require_same_key(target)
    moved, left = [], []
    for entry_id in entry_ids:
        try:
            reason = _move_one(source, target, entry_id)
        except CacheError as error:
            reason = error.message
        if reason is None:
            moved.append(entry_id)
        else:
            left.append((entry_id, reason))
    return Moved(tuple(moved), tuple(left))


def _require_same_key(target: Cache) -> None:
    if target.keys is not None:
        target.keys.require_same(also_moving=True)


def _move_one(source: Cache, target: Cache, entry_id: str) -> str | None:
    with source.locked(entry_id, patience=_PATIENCE) as stored:
        entry = stored.entry
        if entry is None or entry.kind == DISCOVERY:
            return "it holds nothing that can be moved"
        if entry.spending is not None:
            return "its refresh token is being spent; run it again in a minute"
        put = target.read(entry_id)
        if not _has_token_of(put, entry):  # else a move that broke off in the middle goes on here
            taken = f"{target.store.where} has an entry of that name already"
            if put.envelope is not None:
                return taken
            stored_there = target.put(entry_id, entry, replaces=None, durable=True)
            # A no may come after the write: a rotation has found what we wrote, and sealed it again.
            put = stored_there or target.read(entry_id)
            if stored_there is None and not _has_token_of(put, entry):
                return taken
        if entry.refresh_token:
            return _empty(source, target, entry_id, stored, put)
        return None


def _has_token_of(stored: Stored, entry: Entry) -> bool:
    return stored.entry is not None and entry.refresh_token != "" and stored.entry.refresh_token == entry.refresh_token


def _empty(source: Cache, target: Cache, entry_id: str, stored: Stored, put: Stored) -> str | None:
    """Take the refresh token out of the old place, or the entry out of the new one. Returns why it was not moved.

    Raises:
        CacheError: The old place could not be written to.
    """
    assert stored.entry is not None
    gone = Failure("login_required", f"the session was moved to {target.store.where}", time.time())
    left = stored.entry._replace(refresh_token="", refused=gone)
    trouble: CacheError | None = None
    try:
        done = source.put(entry_id, left, replaces=stored.envelope, durable=True) is not None
        done = done or _is_empty(source, entry_id, gone.message)
    except CacheError as error:
        trouble, done = error, False
    if trouble is not None and trouble.in_doubt:
        # It may have been written after all. To delete the other one could cost the session.
        trouble.message += f"; {target.store.where} has the session now, and must not be used before this is run again"
        raise trouble
    if done:
        return None
    # Its refresh token is spent, or will be from the old place.
    is_out = _is_out(target, entry_id, put)
    both = "" if is_out else f"; {target.store.where} still has its token too: do not use it there"
    if trouble is not None:
        trouble.message += both
        raise trouble
    return f"it was renewed meanwhile; run it again{both}"


def _is_empty(source: Cache, entry_id: str, why: str) -> bool:
    """Whether the old place has lost the token though it said no: a rotation has sealed again what we wrote there.

    Raises:
        CacheError: That cannot be told, which leaves a doubt.
    """
    try:
        now = source.read(entry_id)
    except CacheError as error:
        error.in_doubt = True
        raise
    if now.damaged:
        trouble = CacheError(f"the entry in {source.store.where} was damaged meanwhile")
        trouble.in_doubt = True
        raise trouble
    there = now.entry
    return there is not None and not there.refresh_token and there.refused is not None and there.refused.message == why


def _is_out(target: Cache, entry_id: str, put: Stored) -> bool:
    """Take an entry out of the new place again. Returns whether it is known to be out."""
    try:
        return target.delete(entry_id, replaces=put.envelope) or target.store.get(entry_id) is None
    except CacheError:
        return False
