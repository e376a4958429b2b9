"""The question for a workspace's address, which is checked at once, and for the certificates of a private authority."""

import argparse
import os

from lakekey._hosts import account_of, is_account_console, normalize_host
from lakekey._imports import expanded
from lakekey.cli import prompt
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError, LakekeyError, with_home

_TRIES = 3
_IN_THE_PROFILE, _AS_AN_OPTION = "set ca_file in the profile", "name it with --ca-file"


def ask(arguments: argparse.Namespace) -> str:
    """The workspace's address, asked for until it is one that answers as a workspace does.

    Raises:
        LakekeyError: None of the answers was one.
    """
    given = arguments.account_id
    for left in reversed(range(_TRIES)):
        text = prompt.ask("Workspace address, such as https://dbc-1234.cloud.databricks.com")
        if not text:
            continue
        try:
            host = normalize_host(text, None)
            arguments.account_id = given or account_of(text)  # not that of an address which was refused
            if is_account_console(host) and arguments.account_id is None:
                arguments.account_id = prompt.ask("Account id (in the console's menu under your name)") or None
            _check_with_certificates(host, arguments)
        except LakekeyError as error:
            name_option(error)
            if not left:
                raise
            prompt.tell(f"  {error.message}" + (f" ({error.hint})" if error.hint else ""))
        else:
            return text
    raise ConfigurationError("no address was typed", hint="lakekey login NAME --host https://…")


def _check_with_certificates(host: str, arguments: argparse.Namespace) -> None:
    """Check a host; where its certificate is from a private authority, ask for those to trust, and check it again."""
    try:
        _check(host, arguments)
    except LakekeyError as error:
        if _IN_THE_PROFILE not in (error.hint or "") or arguments.ca_file is not None:
            raise
        prompt.tell(f"  {error.message}.")
        given = prompt.ask("A private CA? The file with its certificates (PEM), or Enter for none")
        if not given:
            raise
        arguments.ca_file = os.path.abspath(with_home(expanded(given), "the file"))
        try:
            _check(host, arguments)
        except LakekeyError:
            arguments.ca_file = None  # it was not that, and is asked for again
            raise


def _check(host: str, arguments: argparse.Namespace) -> None:
    """Look whether a host answers, and has an authorization server.

    Raises:
        LakekeyError: It does not.
    """
    from lakekey.oauth.discovery import discover
    from lakekey.session.assembly import transport_of

    target = resolve(None, {}, host=host, ca_file=arguments.ca_file, account_id=arguments.account_id)
    discover(transport_of(target), host, account_id=target.account_id, discovery_url=None)


def name_option(error: LakekeyError) -> None:
    """Word the next step of a sign-in that knows no profile yet: what would be set there is an option here."""
    if error.hint is not None:
        error.hint = error.hint.replace(_IN_THE_PROFILE, _AS_AN_OPTION)
