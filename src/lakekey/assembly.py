"""Puts together what renews a session: HTTP, the OAuth client, the grant, and the sign-in where a person is there."""

import os
import threading
from collections.abc import Callable, Mapping

from lakekey import _version
from lakekey.cache import Entry
from lakekey.oauth import revocation
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata, discover
from lakekey.oauth.grants import ClientCredentials, RefreshToken
from lakekey.oauth.transport import Transport
from lakekey.presence import automation
from lakekey.renewal import Renewal
from lakekey.session import Session
from lakekey.target import M2M, Target


def assemble(session: Session, environ: Mapping[str, str]) -> Renewal:
    """Build the renewal of a session from its target.

    Args:
        session: The session.
        environ: The environment, which says whether a person is there.

    Raises:
        ConfigurationError: A setting contradicts another.
    """
    target = session.target
    client = client_of(target)

    def revoke(entry: Entry) -> str:
        if entry.refresh_token:
            return revocation.revoke(client, entry.refresh_token)
        return revocation.revoke(client, entry.access_token, hint="access_token")

    if target.auth_type == M2M:
        return Renewal(session, ClientCredentials(client), None, revoke)
    if automation(environ) is not None:
        return Renewal(session, RefreshToken(client), None, revoke)
    from lakekey.login import PersonSignIn  # a web server, which whoever never signs anybody in need not load

    return Renewal(session, RefreshToken(client), PersonSignIn(target, client, environ), revoke)


def client_of(target: Target) -> Client:
    """The OAuth client of a target. Nothing is sent yet."""
    transport = Transport(
        ca_file=target.ca_file,
        user_agent=f"lakekey/{_version.__version__}",
        client_certificate=_client_certificate(target),
    )
    # RFC 6749 §6 and OpenID Connect Core §11: a refresh token is asked for by offline_access; a service principal
    # needs none, since it can always ask again.
    scopes = (*target.scopes, "offline_access") if target.is_person else target.scopes
    return Client(
        client_id=target.client_id,
        # A pickled target leaves its secret behind, and finds it again here.
        secret=target.secret() if target.auth_type == M2M or "client_secret" in target.sources else None,
        scopes=tuple(sorted(scopes)),
        transport=transport,
        discover=_once(
            lambda: discover(transport, target.host, account_id=target.account_id, discovery_url=target.discovery_url)
        ),
        assume_group=target.group_id,
        authorization_details=target.authorization_details,
    )


def _client_certificate(target: Target) -> tuple[str, str] | None:
    if not target.client_cert:
        return None
    certificate = os.path.expanduser(target.client_cert)
    return certificate, os.path.expanduser(target.client_key) if target.client_key else certificate


def _once(find: Callable[[], Metadata]) -> Callable[[], Metadata]:
    found: list[Metadata] = []
    guard = threading.Lock()

    def remembered() -> Metadata:
        with guard:
            if not found:
                found.append(find())
            return found[0]

    return remembered
