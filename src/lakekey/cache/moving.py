"""Moving a cache to another store while programs run.

One refresh token in two stores would be spent from both. So an entry is stored in the new place first, and then loses
its refresh token in the old one, all under its lock there. A program that still uses the old store keeps its access
token until that expires, and is then told where the session has gone.
"""

import time
from typing import NamedTuple

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY, Failure
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
        CacheError: A store cannot be used at all.
    """
    moved, left = [], []
    for entry_id in source.kept():
        try:
            reason = _move_one(source, target, entry_id)
        except CacheError as error:
            reason = error.message
        if reason is None:
            moved.append(entry_id)
        else:
            left.append((entry_id, reason))
    return Moved(tuple(moved), tuple(left))


def _move_one(source: Cache, target: Cache, entry_id: str) -> str | None:
    with source.locked(entry_id, patience=_PATIENCE) as stored:
        entry = stored.entry
        if entry is None or entry.kind == DISCOVERY:
            return "it holds nothing that can be moved"
        if entry.spending is not None:
            return "its refresh token is being spent; run it again in a minute"
        if target.get(entry_id) is not None:
            return f"{target.store.where} has an entry of that name already"
        put = target.put(entry_id, entry, replaces=None, durable=True)
        if put is None:
            return f"{target.store.where} has an entry of that name already"
        if entry.refresh_token:
            gone = Failure("login_required", f"the session was moved to {target.store.where}", time.time())
            left = entry._replace(refresh_token="", refused=gone)
            if source.put(entry_id, left, replaces=stored.envelope) is None:
                target.delete(
                    entry_id, replaces=put.envelope
                )  # its refresh token is spent, or will be from the old place
                return "it was renewed meanwhile; run it again"
        return None
