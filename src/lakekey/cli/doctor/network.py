"""The way to the host: name, proxy, TLS, clock; and what it says of its authorization server."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lakekey.cache.keys import joining
from lakekey.cli.doctor.finding import FAILED, OK, WARNING, Check, failed
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError
from lakekey.oauth.discovery import discover
from lakekey.oauth.proxy import proxy_to
from lakekey.oauth.transport import Transport
from lakekey.session.assembly import transport_of

_PATIENCE = 10.0
_TOLERABLE = 30.0
_TOO_FAR = 300.0


def check_host(target: Target, *, patience: float = _PATIENCE) -> Iterator[Check]:
    """Check the way to the host, as far as it leads.

    Args:
        target: Which host.
        patience: Seconds for each step.
    """
    if not target.host:
        yield Check("host", OK, "not looked up: Azure is asked for it with the first request")
        return
    parts = urlsplit(target.host)
    name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        proxy = proxy_to(target.host)
    except LakekeyError as error:
        yield failed("proxy", error)
        return
    if proxy is None:
        resolved = _check_name(name, port, patience)
        yield resolved
        if resolved.status == FAILED:
            return
        yield Check("proxy", OK, "none for this host")
    else:
        yield Check("proxy", OK, f"{proxy}, which also resolves the name")
    transport = transport_of(target)
    try:
        answer = transport.get(f"{target.host}/.well-known/databricks-config", deadline=time.monotonic() + patience)
    except LakekeyError as error:
        yield failed("TLS", error)
        return
    yield Check("TLS", OK, f"the certificate holds, by {_trust(target)}" if parts.scheme == "https" else "loopback")
    yield _check_clock(answer.date)
    if not target.is_delegated:
        yield _check_discovery(transport, target)


def _check_name(name: str, port: int, patience: float) -> Check:
    answers: list[list[Any] | OSError] = []

    def look_up() -> None:
        try:
            answers.append(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answers.append(error)

    # In a thread, which is left behind: looking up a name has no time limit of its own, and no interrupt ends it.
    thread = threading.Thread(target=look_up, name="lakekey-doctor", daemon=True)
    thread.start()
    joining.join(thread, patience)
    found = answers[0] if answers else TimeoutError(0, f"the resolver did not answer in {patience:g} s")
    if isinstance(found, OSError):
        return Check(
            "DNS", FAILED, f"{name} has no address: {found.strerror or found}", "check the host's spelling, and the VPN"
        )
    addresses = sorted({str(entry[4][0]) for entry in found})
    return Check("DNS", OK, f"{name} is {', '.join(addresses[:3])}")


def _trust(target: Target) -> str:
    if target.ca_file:
        return f"ca_file {target.ca_file}"
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get(variable):
            return f"{variable} {os.environ[variable]}"
    return "the public certificate authorities"


def _check_clock(date: str | None) -> Check:
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return Check("clock", OK, "the host does not report its time")
    apart = time.time() - theirs
    said = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the host's"
    if abs(apart) <= _TOLERABLE:
        return Check("clock", OK, said)
    status = WARNING if abs(apart) <= _TOO_FAR else FAILED
    return Check("clock", status, said, "set this machine's clock: timedatectl set-ntp true")


def _check_discovery(transport: Transport, target: Target) -> Check:
    try:
        found = discover(transport, target.host, account_id=target.account_id, discovery_url=target.discovery_url)
    except LakekeyError as error:
        return failed("discovery", error)
    guess = " (the host does not say so; this is the default)" if found.guessed else ""
    return Check("discovery", OK, f"issuer {found.issuer}, tokens from {found.token_endpoint}{guess}")
