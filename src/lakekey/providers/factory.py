"""Making providers: what `lakekey.provider` does, and what the adapters do with a profile, a provider or settings."""

from __future__ import annotations

import sys

from lakekey._imports import LOADING
from lakekey.configuration.target import SETTINGS, Target, resolve
from lakekey.errors import ConfigurationError, LakekeyError, ServicePrincipalMissingWarning
from lakekey.providers.provider import Provider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Unpack

    from lakekey.configuration.arguments import Settings

_warned: set[str] = set()


def provider(profile: str | None = None, **settings: Unpack[Settings]) -> Provider:
    """A provider for a profile, or for what the settings say.

    Nothing is sent and no person is asked yet: the first header does that.

    Args:
        profile: A profile of ``.databrickscfg``; ``None`` for the default chain: environment, then default profile.
        **settings: ``host``, ``auth_type``, ``client_id``, ``client_secret``, ``scopes`` (list or string), ``user``,
            ``account_id``, ``group_id``, ``http_path``, ``warehouse_id``, ``cluster_id``, ``redirect_url``,
            ``ca_file``, ``login_timeout`` (seconds), …, each over the environment and the profile; and
            ``config_file``, where the profiles are.

    Returns:
        The provider.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    try:
        target = resolve(profile, **settings)
    except ConfigurationError as error:
        target = _only_session(error)
    return provider_of(target)


def _only_session(error: ConfigurationError) -> Target:
    """The one session that there is, where nothing at all is configured or named."""
    with LOADING:
        from lakekey.session import only_session

    only = only_session.the_only_one() if only_session.is_nothing_named(error) else None
    if only is None:
        raise error
    return only


def provider_of(target: Target) -> Provider:
    """The provider of a target, with the warning for an unattended run."""
    made = Provider(target)
    if target.is_person:
        _warn_if_unattended(made)
    return made


def _warn_if_unattended(made: Provider) -> None:
    with LOADING:
        from lakekey.configuration.presence import NO_TERMINAL, why_unattended

    run = why_unattended()
    # A script that its owner starts from an editor has no terminal either; while a session serves, the log is enough.
    if run is None or (run == NO_TERMINAL and _is_served(made)):
        return
    warn_service_principal_missing(made.target, run)


def _is_served(made: Provider) -> bool:
    try:
        return not made.needs_login()
    except LakekeyError:  # the first header reports it
        return False


def warn_service_principal_missing(target: Target, run: str) -> None:
    """Say, once for each profile, that an unattended run uses a person's session.

    Args:
        target: What it signs in to.
        run: What kind of run it is, in words.
    """
    if target.name in _warned:
        return
    _warned.add(target.name)
    with LOADING:
        import warnings

    warnings.warn(
        ServicePrincipalMissingWarning(
            f"{run} should sign in as a service principal, and none is configured, so it uses a person's session "
            "where there is one",
            hint="Set client_id and client_secret in the profile "
            "(or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)",
            profile=target.name,
        ),
        stacklevel=_to_the_caller(),
    )


def _to_the_caller() -> int:
    """How many frames away the code is that called lakekey, as `warnings.warn` counts: adapters differ in depth."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001 - `inspect` would load much for the same
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "lakekey":
        frame, level = frame.f_back, level + 1
    return level


def resolve_provider(given: str | Provider | None, settings: Mapping[str, Any]) -> tuple[Provider, dict[str, Any]]:
    """The provider that an adapter was asked for, and the settings that are the framework's, not ours.

    Raises:
        ConfigurationError: Settings of ours beside a provider that is already made, or as `provider` has it.
    """
    ours = {name: value for name, value in settings.items() if name in SETTINGS or name == "config_file"}
    rest = {name: value for name, value in settings.items() if name not in ours}
    if not isinstance(given, Provider):
        return provider_of(resolve(given, **ours)), rest
    if fixed := set(ours) - {"http_path", "catalog", "schema"}:
        raise ConfigurationError(
            f"{min(fixed)} cannot be changed on a provider that is already made",
            hint="give it to lakekey.provider(…)",
            profile=given.target.name,
        )
    return given, {**rest, **ours}
