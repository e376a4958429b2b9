"""Room for an answer that comes only once: what cannot be opened makes way, and an emptied store is not a sign-out."""

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Stored
from lakekey.cache.keys.choice import raw_choice
from lakekey.errors import CacheError, StoreUnavailable


def read_or_clear(cache: Cache, entry_id: str) -> Stored:
    """An entry, as `Cache.read` has it; what cannot be opened here is set aside, whatever it is.

    For the holder of an answer that has to be stored in that place. All others leave alone what is sealed under a key
    that is not at hand, what a later release wrote, and a file that must not be read.

    Raises:
        StoreUnavailable: The store is away.
        CacheError: It can neither be read nor be moved.
    """
    try:
        return cache.read(entry_id)
    except StoreUnavailable:
        raise
    except CacheError as error:
        trouble = error
    try:
        envelope = cache.store.get(entry_id)
    except StoreUnavailable:
        raise
    except CacheError:
        envelope = None  # a file that cannot even be read
    aside = cache.store.set_aside(entry_id, envelope)
    if aside is None:
        raise trouble
    _log.warning("cache", "%s; it makes way for what is newer, and is kept as %s", trouble.message, aside)
    return Stored(None, None, damaged=True)


def begun_again(cache: Cache) -> int:
    """How often this process has found the store emptied, and begun again; 0 also where the store is away."""
    try:
        return 0 if cache.keys is None else cache.keys.begun_again
    except StoreUnavailable:  # a service principal goes on in memory
        return 0


def was_emptied(cache: Cache, since: int) -> bool:
    """Whether the store has lost more than entries: the note that says where its key is, too.

    A sign-out removes an entry and nothing else, so this tells it from a directory that was removed, a database that
    was emptied, and a server that came back with nothing.

    Args:
        cache: The cache.
        since: What `begun_again` was.

    Raises:
        StoreUnavailable: The store is away, so it is not known.
        CacheError: The note is there, and cannot be read.
    """
    if cache.keys is None or not cache.keys.announced[1]:
        return False
    return cache.keys.begun_again != since or not raw_choice(cache.store)
