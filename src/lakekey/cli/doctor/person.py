"""Whether a person can sign in here, or the run is unattended."""

import socket
import sys
from collections.abc import Mapping

from lakekey._commands import listeners
from lakekey.cli.doctor.finding import FAILED, OK, WARNING, Check
from lakekey.configuration.presence import why_unattended
from lakekey.configuration.target import Target
from lakekey.login.ports import ANY_PORT
from lakekey.login.redirect import redirect_of


def check_ports(target: Target) -> Check:
    """Whether a port is free for the sign-in's answer (RFC 8252 §7.3).

    Raises:
        ConfigurationError: No answer can come to the redirect address.
    """
    redirect = redirect_of(target)
    ports = list(redirect.ports)
    if redirect.fixed:
        return Check("redirect port", OK, f"none: the answer comes to {redirect.fixed}, and is pasted here")
    if ports == [ANY_PORT]:
        return Check("redirect port", OK, "any free one")
    free = next((port for port in ports if _is_free(port)), None)
    if free is not None:
        return Check("redirect port", OK, f"{free} is free on this machine")
    span = str(ports[0]) if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    return Check(
        "redirect port",
        FAILED,
        f"no port is free for the sign-in's answer ({span})",
        f"see who holds them: {listeners(ports[0], ports[-1])}",
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform == "win32":
            # There, a port that another program has counts as free without it.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Without it, a port counts as taken for a minute after a login that used it.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_automation(target: Target, environ: Mapping[str, str]) -> Check:
    """Whether an unwatched run has what it should sign in with.

    Raises:
        ConfigurationError: ``LAKEKEY_INTERACTIVE`` is invalid.
    """
    run = why_unattended(environ)
    if not target.is_person:
        who = target.client_id or target.subject or target.auth_type
        return Check("automation", OK, f"{who} can sign in without a person" + (f", as {run} needs" if run else ""))
    lacking = [name for name in ("client_id", "client_secret") if name not in target.sources]
    said = f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'}" if lacking else "auth_type = oauth-m2m is"
    if run is None:
        return Check("automation", OK, "a person is here; a scheduled run would need client_id and client_secret")
    return Check(
        "automation",
        WARNING,
        f"{run} should sign in as a service principal, and {said} not configured",
        "set client_id and client_secret in the profile, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET",
    )
