"""Places of stores, as they may be shown."""

import hashlib

# Parameters that tell one store from another, and are not secrets.
_NAMING = ("host", "hostaddr", "port", "dbname", "prefix", "service")


def without_credentials(address: str) -> str:
    """An address without user, password and most parameters.

    No parser takes it apart: a warm start has no time to load one.
    """
    scheme, _, rest = address.partition("://")
    place, _, parameters = rest.partition("#")[0].partition("?")
    if "@" in rest[len(place) :]:
        return f"{scheme}://…"  # the ? or # may be the password's own, so that nothing before it is a place for sure
    naming = "&".join(each for each in parameters.split("&") if each.partition("=")[0] in _NAMING)
    return f"{scheme}://{place.rpartition('@')[2]}{'?' if naming else ''}{naming}"


def name_of(address: str) -> str:
    """What tells an address's store from others: its place, and where that cannot be shown, a digest of the address."""
    place = without_credentials(address)
    if not place.endswith("…"):
        return place
    return place + hashlib.sha256(f"lakekey place\0{address}".encode()).hexdigest()[:16]
