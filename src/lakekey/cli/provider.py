"""The provider that a command's arguments name."""

import argparse
import os
from collections.abc import Mapping

from lakekey import _log
from lakekey.cli.arguments import target_settings
from lakekey.configuration.target import Target, resolve
from lakekey.configuration.validation import NAME_A_PROFILE
from lakekey.errors import ConfigurationError
from lakekey.providers.provider import Provider
from lakekey.session.session import Session

SIGN_IN_FIRST = "sign in first: lakekey login"


def provider_of(arguments: argparse.Namespace) -> Provider:
    """The provider that a command's arguments name."""
    return provider_for_target(target_of(arguments))


def target_of(arguments: argparse.Namespace) -> Target:
    """What a command's arguments name."""
    try:
        # How long to wait for a person says nothing about the credential, so it is not among the settings that name it.
        waits = {"login_timeout": getattr(arguments, "timeout", None)}
        target = resolve(arguments.profile, **target_settings(arguments), **waits)
    except ConfigurationError as error:
        target = only_session(error)
    if arguments.debug:
        _report(target)
    return target


def only_session(error: ConfigurationError) -> Target:
    """The one session that there is, where nothing at all was named.

    Args:
        error: What `resolve` raised.

    Raises:
        ConfigurationError: Something is named, there is no session, or there are several.
    """
    from lakekey.session import only_session  # not for a command that knows what it means

    if not only_session.is_nothing_named(error):
        raise error
    only = only_session.the_only_one()
    if only is not None:
        return only
    if error.hint == NAME_A_PROFILE:  # otherwise it names the profiles that there are
        error.hint = SIGN_IN_FIRST
    raise error


def nothing_is_there(arguments: argparse.Namespace) -> bool:
    """Whether neither the command nor the configuration names a session, and no person has one."""
    if arguments.profile is not None or target_settings(arguments):
        return False
    from lakekey.session import only_session  # not for a command that knows what it means

    try:
        resolve(None)
    except ConfigurationError as error:
        return only_session.is_nothing_named(error) and only_session.the_only_one() is None
    return False


def provider_for_target(target: Target, interactive: str | None = None) -> Provider:
    """A target's provider, without the warning that programs get: a command says what is wrong by its status.

    Args:
        target: What it signs in to.
        interactive: Whether and how a person signs in, in the place of ``LAKEKEY_INTERACTIVE``.
    """
    return Provider(target, interactive)


def session_and_provider(
    target: Target, interactive: str | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Session, Provider]:
    """A target's session, for a command that looks at it, and its provider. Their cache is opened once for both.

    Args:
        target: What they sign in to.
        interactive: Whether and how a person signs in, in the place of ``LAKEKEY_INTERACTIVE``.
        environ: The environment; ``None`` for this process's.
    """
    session = Session(target, environ=environ, interactive=interactive)
    # What the SDK signs in does not enter the cache, which then is not even opened.
    cache = None if target.is_delegated else session.cache
    return session, Provider(target, interactive, cache=cache, environ=environ)


def _report(target: Target) -> None:
    from lakekey.cache.opening import cache_directory
    from lakekey.cache.stores.places import shown

    file = f"[{target.profile or 'DEFAULT'}] of {target.config_file}" if target.config_file else "no profile"
    _log.debug("cli", "configuration: %s", file)
    for name, source in target.sources.items():
        _log.debug("cli", "  %s: from %s", name, source)
    _log.debug("cli", "host %s, %s, client %s", target.host, target.auth_type, target.client_id or "none")
    store = shown(target.store) if target.store else cache_directory(target.cache_environment(os.environ))
    _log.debug("cli", "cache: %s", store)
