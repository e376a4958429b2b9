"""An envelope that cannot be opened, or holds no entry, is moved out of the way: it costs no other entry."""

from lakekey import _log
from lakekey.cache.stores.store import Store
from lakekey.errors import CacheWriteFailed


def set_aside(store: Store, entry_id: str, envelope: bytes, reason: str) -> bool:
    """Move a bad envelope out of the way, and report it.

    Args:
        store: The store.
        entry_id: Which entry it stands for.
        envelope: The envelope.
        reason: What is wrong with it.

    Returns:
        Whether it is out of the way, or will be by the holder of the entry's lock.
    """
    place = store.place(entry_id)
    if store.shared and not store.still_locked(entry_id) and store.holder(entry_id) is not None:
        return True  # its holder may have an answer under way, and would take one that is gone for signed out
    try:
        aside = store.set_aside(entry_id, envelope)
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


_reported: set[str] = set()
