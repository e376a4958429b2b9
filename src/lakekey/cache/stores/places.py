"""Places of stores, as they may be shown."""

import hashlib

# Parameters that tell one store from another, and are not secrets.
_NAMING = ("host", "hostaddr", "port", "dbname", "prefix", "service")


def scheme_of(address: str) -> str:
    """What stands before the ``://`` of an address, in small letters, or ``""``: a scheme of RFC 3986, section 3.1."""
    scheme, mark, _ = address.partition("://")
    is_one = scheme[:1].isalpha() and scheme.isascii() and all(each.isalnum() or each in "+.-" for each in scheme)
    return scheme.lower() if mark and is_one else ""


def shown(place: str) -> str:
    """A place as it was written, right or wrong, for people to see; ``…`` where it may hold a secret."""
    place = place.strip()
    path = place.removeprefix("file:")
    of_files = path != place or path.startswith(("/", "./", "../", "~"))
    if place == "memory:" or (of_files and "://" not in place and not path.startswith("//") and "=" not in path):
        return place
    return without_credentials(place)


def without_credentials(address: str) -> str:
    """An address without user, password and most parameters; ``…`` for what cannot be told from a password.

    No parser takes it apart: a warm start has no time to load one.
    """
    if not scheme_of(address):
        return "…"
    scheme, _, rest = address.partition("://")
    place, _, parameters = rest.partition("#")[0].partition("?")
    if "@" in rest[len(place) :]:
        return f"{scheme}://…"  # the ? or # may be the password's own, so that nothing before it is a place for sure
    place = place.rpartition("@")[2]
    naming = "&".join(each for each in parameters.split("&") if each.partition("=")[0] in _NAMING)
    # libpq's other form, key=value with spaces between, is at times joined to an address; and a user and a password
    # without a host look like a host and its port.
    joined = len(f"{place}?{naming}".split()) > 1 or "=" in place or any(n.count("=") > 1 for n in naming.split("&"))
    ports = [host.rpartition("]")[2].partition(":")[2] for host in place.partition("/")[0].split(",")]
    if joined or not all(port == "" or port.isdecimal() for port in ports):
        return f"{scheme}://…"
    return f"{scheme}://{place}{'?' if naming else ''}{naming}"


def name_of(address: str) -> str:
    """What tells an address's store from others: its place, and where that cannot be shown, a digest of the address."""
    place = without_credentials(address)
    if not place.endswith("…"):
        return place
    return place + hashlib.sha256(f"lakekey place\0{address}".encode()).hexdigest()[:16]
