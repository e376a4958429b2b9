"""Places of stores, as they may be shown."""


def without_credentials(address: str) -> str:
    """An address without user, password and parameters. Without a parser, which a warm start has no time to load."""
    scheme, _, rest = address.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    return f"{scheme}://{place.rpartition('@')[2]}"
