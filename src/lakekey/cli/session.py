"""``lakekey login``, ``logout`` and ``token``."""

import argparse
import sys
from collections.abc import Mapping

from lakekey.cli.arguments import target_settings
from lakekey.cli.output import print_json
from lakekey.configuration.target import Target, resolve
from lakekey.errors import CacheWriteFailed, ConfigurationError, LakekeyError
from lakekey.providers.provider import Provider, Token
from lakekey.session.renewal import SignedOut

_AT_THE_SERVER = {
    "revoked": "The server has revoked it, too.",
    "not offered": "The server offers no revocation: what was copied of it before lives until it expires.",
    "refused": "The server refused to revoke it: what was copied of it before lives until it expires.",
    "failed": "The server could not be brought to revoke it now: what was copied of it before lives until it expires.",
}


def provider_of(arguments: argparse.Namespace) -> Provider:
    """The provider that a command's arguments name."""
    return provider_for_target(resolve(arguments.profile, **target_settings(arguments)))


def provider_for_target(target: Target, environ: Mapping[str, str] | None = None) -> Provider:
    """A target's provider, without the warning that programs get: a command says what is wrong by its status.

    Args:
        target: What it signs in to.
        environ: The environment, which says whether a person is there; ``None`` for this process's.
    """
    if target.is_delegated:
        from lakekey.providers.sdk_strategy import DelegatedProvider

        return DelegatedProvider(target)
    return Provider(target, environ=environ)


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
