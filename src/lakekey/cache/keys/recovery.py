"""Finding the choice of a cache's key again, where the note of it is damaged or gone: by the keys that entries name."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lakekey import _log
from lakekey.cache.keys import anchor, file, keyring, passphrase
from lakekey.cache.keys.choice import NOTE, KeyChoice, now
from lakekey.cache.keys.confirmation import is_our_service
from lakekey.cache.keys.kms import wrapped_ring
from lakekey.cache.keys.kms.ring_note import made_with
from lakekey.cache.keys.sources import configured, open_source, ring_of
from lakekey.errors import CacheError, LakekeyError

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace

_WHY = "it was found again by the keys of the entries"


def find(place: "KeyPlace", environ: Mapping[str, str], needed: frozenset[str]) -> KeyChoice | None:
    """Find the source that holds a cache's key.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment.
        needed: The ids of the keys that the entries name, in hexadecimal; empty where there are no entries.

    Returns:
        The source whose ring opens the most of them; of those that open as many, the one that was seen before, else
        the strongest. ``None`` if none opens any.
    """
    best, most = None, 0
    for choice in _candidates(place, environ, needed):
        try:
            ring = ring_of(open_source(choice, place, environ))
        except LakekeyError:
            continue
        held = {key_id.hex() for key_id in ring.keys}
        opens = len(needed & held) if needed else 1
        if opens > most:
            best, most = choice._replace(current=ring.current.hex()), opens
    if best is not None and needed:
        _log.warning(
            "cache", "%s is damaged or gone; the key of the token cache was found again, in source %s",
            place.note_place(NOTE), best.source,
        )  # fmt: skip
    return best


def _candidates(place: "KeyPlace", environ: Mapping[str, str], needed: frozenset[str]) -> Iterator[KeyChoice]:
    """The sources to look at: the one that this user has seen in this cache, then the stronger before the weaker."""
    seen = anchor.recall(environ, place.where)
    if seen is not None:
        yield seen
    wanted = configured(environ)
    if wanted is not None and wanted[0] in ("env", "mounted"):
        yield KeyChoice(wanted[0], _WHY, now())
    if not place.shared and _note(place, passphrase.NOTE) is not None:
        yield KeyChoice("passphrase", _WHY, now())
    for service, cache_id in made_with(_note(place, wrapped_ring.NOTE)):
        if (seen is not None or place.shared) and not is_our_service(service, place.where, environ):
            continue  # anyone who can write to the cache could have put it there, and more entries than ours under it
        yield KeyChoice("kms", _WHY, now(), kms=service, cache=cache_id)
    if place.shared:
        return  # what follows is one host's own: only another person can have put it there
    if needed:  # of other caches' items, the keys alone tell
        for backend, item in keyring.items(environ):
            yield KeyChoice("keyring", _WHY, now(), backend=backend, item=item)
    if seen is None and _note(place, file.NOTE) is not None:
        yield KeyChoice("file", _WHY, now())


def _note(place: "KeyPlace", name: str) -> bytes | None:
    try:
        return place.read_note(name)
    except (OSError, CacheError):
        return None
