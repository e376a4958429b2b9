"""``lakekey auth token`` and ``lakekey version``: what the SDKs of every language call as the Databricks CLI.

With ``DATABRICKS_CLI_PATH`` pointing at ``lakekey``, Terraform, the editor and the Go, Java and Python SDKs share its
session. The arguments, the JSON and the exit status are those that the SDKs' public sources expect.
"""

import argparse
import contextlib
import itertools
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from lakekey.cache.opening import open_cache
from lakekey.cli.output import print_json
from lakekey.cli.provider import only_session, session_and_provider
from lakekey.cli.token import print_token
from lakekey.configuration import databrickscfg
from lakekey.configuration.settings import U2M
from lakekey.configuration.target import Target, normalize_host, resolve
from lakekey.errors import ConfigurationError, LakekeyError, LockTimeout, TokenEndpointError
from lakekey.providers.provider import Provider
from lakekey.session.session import Session

# How an SDK is told to ask another program, which is us, and where.
_ASKING_US = ("databricks-cli", "metadata-service")
_WHERE_WE_ARE = "DATABRICKS_METADATA_SERVICE_URL"
# The release whose `auth token` options are understood here; the SDKs choose their options by it.
_SPEAKS_LIKE = (0, 296, 0)
_YOUNG = 30.0


def auth_token(arguments: argparse.Namespace) -> int:
    """Print a token as JSON. Errors go to standard error in one line, since the SDKs show it to the person."""
    try:
        session, provider = session_and_provider(_target(arguments))
        if arguments.force_refresh:
            _refresh_unless_young(session, provider)
        print_token(provider.token())
    except LakekeyError as error:
        from lakekey.cli.style import clean

        print(f"Error: {clean(str(error))}", file=sys.stderr)
        return 1
    return 0


def version(arguments: argparse.Namespace) -> int:
    """Print the version, as JSON where asked to."""
    from lakekey._version import __version__

    if arguments.json or arguments.output == "json":
        major, minor, patch = _SPEAKS_LIKE
        text = f"{major}.{minor}.{patch}"
        print_json({"Version": f"{text}-lakekey.{__version__}", "Major": major, "Minor": minor, "Patch": patch})
    else:
        # The Go SDK reads just this form, and passes no --profile where it cannot. For people there is --version.
        print(f"Databricks CLI v{'.'.join(map(str, _SPEAKS_LIKE))}+lakekey.{__version__}")
    return 0


def _target(arguments: argparse.Namespace) -> Target:
    if arguments.profile is not None or arguments.host is None:
        return target_for_others(arguments.profile)
    return target_at(arguments.host, arguments.account_id)


def target_at(host: str, account_id: str | None = None) -> Target:
    """The target of a program that names a host only.

    By the one profile that is for it, where there is just one; else by the host alone; and where that has no session,
    but one person is signed in there, such as by ``lakekey login --host … --user …``, that session.
    """
    wanted = normalize_host(host, None)
    found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE"))
    matching = [each.name for each in found if each.name and _is_for(each, wanted, account_id)]
    if len(matching) == 1:
        return target_for_others(matching[0], account_id=account_id)
    target = target_for_others(None, host=host, account_id=account_id)
    return _the_only_one_at(target) or target


def _the_only_one_at(target: Target) -> Target | None:
    if target.profile or not target.is_person:
        return None
    entry = Session(target).peek()
    if entry is not None and (entry.refresh_token or entry.access_token):
        return None
    from lakekey.session import inventory  # not for a program whose session is where it looks for it

    def fits(about: Mapping[str, Any]) -> bool:
        own = {"host": target.host, "account_id": target.account_id, "auth_type": U2M}
        return all(about.get(name) == value for name, value in own.items())

    alive = (
        each
        for each in inventory.walk(open_cache())
        if each.entry is not None and fits(each.entry.about) and each.info.state not in inventory.NEEDS_LOGIN
    )
    rows = list(itertools.islice(alive, 2))
    return inventory.target_of(rows[0]) if len(rows) == 1 else None


def _is_for(profile: databrickscfg.Profile, host: str, account_id: str | None) -> bool:
    """Whether a profile is for a host; an account's host is that of all accounts."""
    if account_id is not None and profile.values.get("account_id", account_id) != account_id:
        return False
    try:
        return normalize_host(profile.values.get("host"), profile.name) == host
    except ConfigurationError:
        return False


def target_for_others(profile: str | None, around: Mapping[str, str] | None = None, **settings: str | None) -> Target:
    """The target of a program that asks us for its tokens, without what sent it to us: that would lead back here.

    What sent it is a variable, ``DATABRICKS_AUTH_TYPE`` or ``DATABRICKS_METADATA_SERVICE_URL``, or the profile:
    ``databricks auth login`` writes ``auth_type = databricks-cli`` into it. None says who signs in; where nothing else
    does, it is a person.

    Args:
        profile: The profile; ``None`` for the default chain, and where that names nothing, the one session there is.
        around: The environment; ``None`` for this process's.
        **settings: See `lakekey.provider`; ``None`` for those that are not given.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another.
    """
    around = os.environ if around is None else around
    sent = around.get("DATABRICKS_AUTH_TYPE") in _ASKING_US
    senders = ("DATABRICKS_AUTH_TYPE", _WHERE_WE_ARE) if sent else (_WHERE_WE_ARE,)
    environ = {name: value for name, value in around.items() if name not in senders}
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        target = resolve(profile, environ=environ, **given)
    except ConfigurationError as error:
        return only_session(error)
    return resolve(profile, environ=environ, auth_type=U2M, **given) if target.auth_type in _ASKING_US else target


def _refresh_unless_young(session: Session, provider: Provider) -> None:
    """A newer token, but one for all who ask at about the same time: what is seconds old is new enough."""
    if session.target.is_delegated:
        return  # nothing is kept: a strategy of the SDK has been asked again in any case
    entry = session.peek()
    if entry is None or not entry.access_token or time.time() - entry.issued_at < _YOUNG:
        return
    # The SDKs force each of their refreshes: trouble at the server is not a reason to withhold a live token from them.
    with contextlib.suppress(TokenEndpointError, LockTimeout):
        provider.invalidate(entry.access_token)
