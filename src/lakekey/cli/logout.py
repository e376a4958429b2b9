"""``lakekey logout``."""

import argparse

from lakekey.cli.output import print_json
from lakekey.cli.provider import provider_of
from lakekey.errors import LakekeyError
from lakekey.session.renewal import SignedOut

_AT_THE_SERVER = {
    "revoked": "The server has revoked it, too.",
    "not offered": "The server offers no revocation: copies of the token stay valid until it expires.",
    "refused": "The server refused to revoke it: copies of the token stay valid until it expires.",
    "failed": "The server did not confirm revocation: copies of the token stay valid until it expires.",
}


def logout(arguments: argparse.Namespace) -> int:
    """Forget a session."""
    provider = provider_of(arguments)
    try:
        done: SignedOut = provider.session.renewal.sign_out()
    except LakekeyError as error:
        error.profile = error.profile or provider.target.name
        raise
    host = provider.target.host
    if arguments.json:
        removed = done.removed is not None
        facts = {"profile": provider.target.profile, "host": host, "removed": removed, "revocation": done.revocation}
        print_json(facts)
    elif done.removed is None:
        print(f"There was no session for {host}.")
    else:
        print(f"Signed out of {host}.")
        print(f"The session is removed from {provider.session.cache.store.where}, for every process.")
        if done.revocation is not None:
            print(_AT_THE_SERVER[done.revocation])
    return 0
