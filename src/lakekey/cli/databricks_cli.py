"""``lakekey auth token`` and ``lakekey version``: what the SDKs of every language call as the Databricks CLI.

With ``DATABRICKS_CLI_PATH`` pointing at ``lakekey``, Terraform, the editor and the Go, Java and Python SDKs share its
session. The arguments, the JSON and the exit status are those that the SDKs' public sources expect.
"""

import argparse
import os
import sys
import time

from lakekey import databrickscfg
from lakekey._provider import Provider
from lakekey.cli.output import print_json
from lakekey.cli.session import print_token
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.target import Target, normalize_host, resolve

# The release whose `auth token` options are understood here; the SDKs choose their options by it.
_SPEAKS_LIKE = (0, 296, 0)
_YOUNG = 30.0


def auth_token(arguments: argparse.Namespace) -> int:
    """Print a token as JSON. Errors go to standard error in one line, since the SDKs show it to the person."""
    try:
        provider = Provider(_target(arguments.profile, arguments.host))
        if arguments.force_refresh:
            _refresh_unless_young(provider)
        print_token(provider.token())
    except LakekeyError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def version(arguments: argparse.Namespace) -> int:
    """Print the version, as JSON where asked to."""
    from lakekey._version import __version__

    if arguments.output == "json":
        major, minor, patch = _SPEAKS_LIKE
        text = f"{major}.{minor}.{patch}"
        print_json({"Version": f"{text}-lakekey.{__version__}", "Major": major, "Minor": minor, "Patch": patch})
    else:
        print(f"lakekey {__version__}")
    return 0


def _target(profile: str | None, host: str | None) -> Target:
    """The target of a profile; or of a host, by the one profile that is for it where there is just one."""
    if profile is None and host is not None:
        wanted = normalize_host(host, None)
        found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE"))
        matching = [each.name for each in found if each.name and _is_for(each, wanted)]
        if len(matching) == 1:
            profile, host = matching[0], None
    return resolve(profile, host=host, environ=without_caller())


def _is_for(profile: databrickscfg.Profile, host: str) -> bool:
    try:
        return normalize_host(profile.values.get("host"), profile.name) == host
    except ConfigurationError:
        return False


def without_caller() -> dict[str, str]:
    """The environment without what sent the caller to us: followed again, it would lead back here."""
    ours = os.environ.get("DATABRICKS_AUTH_TYPE") in ("databricks-cli", "metadata-service")
    return {name: value for name, value in os.environ.items() if not (ours and name == "DATABRICKS_AUTH_TYPE")}


def _refresh_unless_young(provider: Provider) -> None:
    """A newer token, but one for all who ask at about the same time: what is seconds old is new enough."""
    entry = provider.session.peek()
    if entry is None or not entry.access_token or time.time() - entry.issued_at < _YOUNG:
        return
    provider.invalidate(entry.access_token)
