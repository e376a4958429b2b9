"""Places of stores, as they may be shown."""


def without_credentials(address: str) -> str:
    """An address without user, password and parameters. Without a parser, which a warm start has no time to load."""
    scheme, _, rest = address.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    if "@" in rest[len(place) :]:
        return f"{scheme}://…"  # the ? or # may be the password's own, so that nothing before it is a place for sure
    return f"{scheme}://{place.rpartition('@')[2]}"
