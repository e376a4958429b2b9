"""``lakekey login``, ``logout`` and ``token``."""

import argparse

from lakekey._provider import Provider, Token
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import print_json
from lakekey.target import resolve


def provider_of(arguments: argparse.Namespace) -> Provider:
    """The provider that a command's arguments name."""
    return Provider(resolve(arguments.profile, **target_settings(arguments)))


def login(arguments: argparse.Namespace) -> int:
    """Sign in now."""
    provider = provider_of(arguments)
    token = provider.login()
    target, cache = provider.target, provider.session.cache
    who = provider.identity() or (target.client_id if not target.is_person else None)
    if arguments.json:
        print_json(
            {
                "profile": target.profile,
                "host": target.host,
                "auth_type": target.auth_type,
                "identity": who,
                "scopes": list(token.scopes),
                "expiry": token.expires_at.isoformat(),
                "store": cache.store.where,
                "key_source": cache.ring.source,
            }
        )
    else:
        print(f"Signed in to {target.host}" + (f" as {who}." if who else "."))
        print(f"Kept in {cache.store.where}, sealed under the key in {cache.ring.where}.")
    return 0


def logout(arguments: argparse.Namespace) -> int:
    """Forget a session."""
    provider = provider_of(arguments)
    removed = provider.logout()
    if arguments.json:
        print_json({"profile": provider.target.profile, "host": provider.target.host, "removed": removed})
    else:
        print(
            f"Signed out of {provider.target.host}." if removed else f"There was no session for {provider.target.host}."
        )
    return 0


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
    expiry = token.expires_at.astimezone().isoformat(timespec="microseconds")
    print_json({"access_token": token.access_token, "token_type": token.token_type, "expiry": expiry})
