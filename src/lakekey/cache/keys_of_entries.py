"""Whether the available keys open what is stored: checked beforehand, instead of at each entry."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY_PREFIX
from lakekey.cache.envelope import key_id_of
from lakekey.cache.stores.findings import FAILED, OK, WARNING, Finding
from lakekey.errors import LakekeyError

_MOST = 1000  # entries that are looked at


def findings(cache: Cache) -> Iterator[Finding]:
    """Which keys the first entries are sealed under, and whether they are at hand."""
    try:
        ring = cache.ring
        if cache.keys is not None:
            cache.keys.require_same()
        sealed = [
            key_id_of(envelope)
            for name, envelope in islice(cache.envelopes(), _MOST)
            if isinstance(envelope, bytes) and not name.startswith(DISCOVERY_PREFIX)
        ]
    except LakekeyError as error:
        yield Finding("key", FAILED, error.message, error.hint)
        return
    held = {name.hex() for name in ring.keys}
    missing = Counter(key for key in sealed if key and key not in held)
    if not ring.keys:
        status = WARNING if sealed else OK
        yield Finding("key", status, "none at hand here, so that entries were not looked at" if sealed else "none yet")
    elif missing:
        number = sum(missing.values())
        yield Finding(
            "key",
            FAILED,
            f"{number} of {len(sealed)} entries are sealed under {', '.join(sorted(missing))}, which is not in "
            f"{ring.where} (current key {ring.current.hex()})",
            "give every host the same key; during a change, list the new key first and the old one after it",
        )
    else:
        yield Finding("key", OK, f"{ring.current.hex()} from {ring.where}, which opens the {len(sealed)} looked at")
