"""Who signs in to the demo: the person at this machine, in their own browser, or one who is played by HTTP."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Mapping

import lakekey
from lakekey.configuration.presence import interactive_mode, why_unattended
from lakekey.errors import LoginFailed
from lakekey.login.browser import command
from lakekey.login.seat import seat
from lakekey_sandbox.person import Person
from lakekey_sandbox.workspace import Sandbox

_PATIENCE = 60.0  # seconds for a person who did not ask for the browser, and may not have seen it open


def is_at_a_browser(environ: Mapping[str, str]) -> bool:
    """Whether a person sits here who can see a browser open; else one is played, and nothing waits.

    Args:
        environ: The environment in which the demo was started.

    Raises:
        ConfigurationError: ``LAKEKEY_INTERACTIVE`` is invalid.
    """
    here, mode = seat(environ), interactive_mode(environ)
    # The sandbox and the callback are on this machine's loopback address, which only Windows shares with its WSL.
    elsewhere = mode == "auto" and here.remote and not here.wsl
    if why_unattended(environ) is not None or mode == "paste" or elsewhere:
        return False
    words = command(environ, wsl=here.wsl)
    return words is not None and shutil.which(words[0], path=environ.get("PATH")) is not None


def sign_in(box: Sandbox, say: Callable[[str], None], *, browser: bool | None) -> lakekey.Provider:
    """Sign in to the profile ``sandbox``, by asking for the first header.

    Args:
        box: The workspace.
        say: Tells the person something.
        browser: Whether the person at this machine signs in, or one who is played; ``None`` for the latter where the
            former does not within a minute.

    Raises:
        LoginFailed: The person who was to sign in did not.
    """
    if browser is False:
        say("a person is played, who answers the sign-in page by HTTP")
        return _played(box, lakekey.Provider.headers)
    say("In your browser: it warns of the certificate, since the workspace made its own authority a moment ago;")
    say(f"go on to the page, choose anybody, such as {box.users[0]}, and sign in.")
    if browser:
        person = lakekey.provider("sandbox")
        person.headers()
        return person
    say(f"In {_PATIENCE:g} s, or with --no-browser, a person is played instead.")
    person = lakekey.provider("sandbox", login_timeout=_PATIENCE)
    try:
        person.headers()
    except LoginFailed as error:
        say(f"{error.message}: a person is played")
        return _played(box, lakekey.Provider.login)  # a header would wait until the failure has cooled down
    return person


def _played(box: Sandbox, ask: Callable[[lakekey.Provider], object]) -> lakekey.Provider:
    os.environ["BROWSER"] = Person(box.users[0], ca_file=box.ca_file).command()
    person = lakekey.provider("sandbox")
    # It would say that a browser opens, and what is opened is the person who is played.
    with contextlib.redirect_stderr(io.StringIO()):
        ask(person)
    return person
