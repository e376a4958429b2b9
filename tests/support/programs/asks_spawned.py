"""What a spawned process runs: the provider comes by pickle."""

import lakekey


def token(provider: lakekey.Provider) -> str:
    """The access token that the provider has here."""
    return provider.token().access_token
