"""``lakekey token``."""

import argparse

from lakekey import _moments
from lakekey.cli.output import print_json
from lakekey.cli.provider import provider_of
from lakekey.providers.token import Token


def token(arguments: argparse.Namespace) -> int:
    """Print an access token."""
    current = provider_of(arguments).token()
    if arguments.json:
        print_token(current)
    else:
        print(current.access_token)
    return 0


def print_token(token: Token) -> None:
    """Print a token as ``databricks auth token`` does.

    The expiry is local time with a fraction and an offset: the Python SDK cuts it at the point and takes it for local
    time, the others read the offset.
    """
    expiry = _moments.local(token.expires_at).isoformat(timespec="microseconds")
    print_json({"access_token": token.access_token, "token_type": token.token_type, "expiry": expiry})
