"""What a notebook looks for first: `lakekey.login`, `lakekey.logout` and `lakekey.profiles`."""

import os
from typing import TYPE_CHECKING, NamedTuple

from lakekey.configuration import databrickscfg
from lakekey.configuration.target import resolve
from lakekey.errors import LakekeyError
from lakekey.providers.factory import provider
from lakekey.providers.provider import Provider

if TYPE_CHECKING:
    from typing import Unpack

    from lakekey.configuration.arguments import Settings


class ProfileInfo(NamedTuple):
    """A profile of ``.databrickscfg``; it holds no secret.

    Attributes:
        name: Its name.
        host: The workspace, or ``None`` if it does not resolve.
        auth_type: The SDK's name of the grant, or ``None``.
        is_default: Whether it is used where none is named.
        problem: Why it does not resolve, or ``None``.
    """

    name: str
    host: str | None
    auth_type: str | None
    is_default: bool
    problem: str | None


def login(profile: str | None = None, *, switch: bool = False, **settings: "Unpack[Settings]") -> Provider:
    """Sign in now, as ``lakekey login`` does.

    Args:
        profile: A profile of ``.databrickscfg``; ``None`` for the default chain.
        switch: Let another person than before take the session over.
        **settings: As `lakekey.provider` takes them.

    Returns:
        The provider, signed in; a notebook shows who, and until when.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
        LoginRequired: No person is there to sign in.
        LoginFailed: The sign-in did not succeed.
    """
    made = provider(profile, **settings)
    made.login(switch=switch)
    return made


def logout(profile: str | None = None, **settings: "Unpack[Settings]") -> bool:
    """Remove a session, for every process, and revoke it where the server offers that.

    Args:
        profile: A profile of ``.databrickscfg``; ``None`` for the default chain.
        **settings: As `lakekey.provider` takes them.

    Returns:
        Whether there was one.
    """
    return provider(profile, **settings).logout()


def profiles() -> list[ProfileInfo]:
    """The profiles of ``.databrickscfg``, each as it resolves by itself.

    Nothing is sent, but that a shared store may be asked for a client secret.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    path = databrickscfg.location(os.environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)
    found, default = databrickscfg.profiles(path)
    chosen = os.environ.get("DATABRICKS_CONFIG_PROFILE", "").strip() or default
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "ARM_"))}
    return [_info(str(each.name), path, environ, is_default=each.name == chosen) for each in found]


def _info(name: str, path: str, environ: dict[str, str], *, is_default: bool) -> ProfileInfo:
    try:
        target = resolve(name, environ, config_file=path)
    except LakekeyError as error:  # also of a store that is away, which may keep the profile's client secret
        return ProfileInfo(name, None, None, is_default, error.message)
    return ProfileInfo(name, target.host, target.auth_type, is_default, None)
