"""``lakekey login``."""

import argparse
import sys

from lakekey.cli.output import print_json
from lakekey.cli.provider import provider_of
from lakekey.errors import CacheWriteFailed, ConfigurationError
from lakekey.providers.provider import Provider


def login(arguments: argparse.Namespace) -> int:
    """Sign in now."""
    provider = _provider_with_secret(arguments)
    with provider.session.cache.store.lock(provider.session.entry_id):
        _require_keeping(provider)  # a full disk is found before a browser opens
    token = provider.login(switch=arguments.switch)
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
                "group_id": target.group_id,
                "scopes": list(token.scopes),
                "expiry": token.expires_at.isoformat(),
                "store": cache.store.where,
                "key_source": cache.ring.source,
            }
        )
    else:
        role = f", in the role of group {target.group_id}" if target.group_id else ""
        print(f"Signed in to {target.host}" + (f" as {who}{role}." if who else f"{role}."))
        if not target.is_delegated:  # the SDK keeps its own tokens, in memory
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


def _provider_with_secret(arguments: argparse.Namespace) -> Provider:
    """The provider; where all that it lacks is the service principal's secret, a person is asked for that."""
    try:
        return provider_of(arguments)
    except ConfigurationError:
        from lakekey.cli import secret

        if not sys.stdin.isatty():
            raise
        try:
            target = secret.client_of_profile(arguments)
        except ConfigurationError:
            target = None
        if target is None:
            raise
    secret.seal_secret(target)
    return provider_of(arguments)
