"""What worker processes of `multiprocessing` are given to do."""

import lakekey


def header(provider: lakekey.Provider) -> str:
    """The header that a provider has here."""
    return provider.headers()["Authorization"]
