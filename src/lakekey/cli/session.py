"""``lakekey login``, ``logout`` and ``token``."""

import argparse

from lakekey._provider import Provider
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import print_json
from lakekey.errors import CacheWriteFailed
from lakekey.target import resolve


def provider_of(arguments: argparse.Namespace) -> Provider:
    """The provider that a command's arguments name."""
    return Provider(resolve(arguments.profile, **target_settings(arguments)))


def login(arguments: argparse.Namespace) -> int:
    """Sign in now."""
    provider = provider_of(arguments)
    with provider.session.cache.store.lock(provider.session.entry_id):
        _require_keeping(provider)  # a full disk is found before a browser opens
    token = provider.login()
    _require_keeping(provider)
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


def _require_keeping(provider: Provider) -> None:
    """A sign-in that ends with this command is none."""
    cache = provider.session.cache
    if not cache.keeps(provider.session.entry_id):
        reason = cache.volatile or f"cannot write to the token cache at {cache.store.where}"
        raise CacheWriteFailed(
            f"{reason}, so the session would end with this command",
            hint="set LAKEKEY_CACHE_DIR to a directory of yours that can be written to",
            profile=provider.target.name,
        )


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
        expiry = current.expires_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        print_json({"access_token": current.access_token, "token_type": current.token_type, "expiry": expiry})
    else:
        print(current.access_token)
    return 0
