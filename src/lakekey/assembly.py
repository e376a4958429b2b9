"""Puts together what renews a session: HTTP, the OAuth client, the grant, and the sign-in where a person is there."""

import threading
from collections.abc import Callable, Mapping

from lakekey import _version
from lakekey.login import BrowserSignIn
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
    if target.auth_type == M2M:
        return Renewal(session, ClientCredentials(client), None)
    sign_in = BrowserSignIn(target, client, environ) if automation(environ) is None else None
    return Renewal(session, RefreshToken(client), sign_in)


def client_of(target: Target) -> Client:
    """The OAuth client of a target. Nothing is sent yet."""
    transport = Transport(ca_file=target.ca_file, user_agent=f"lakekey/{_version.__version__}")
    # RFC 6749 §6 and OpenID Connect Core §11: a refresh token is asked for by offline_access; a service principal
    # needs none, since it can always ask again.
    scopes = (*target.scopes, "offline_access") if target.is_person else target.scopes
    return Client(
        client_id=target.client_id,
        secret=target.secret() if target.auth_type == M2M else target.client_secret,
        scopes=tuple(sorted(scopes)),
        transport=transport,
        discover=_once(
            lambda: discover(transport, target.host, account_id=target.account_id, discovery_url=target.discovery_url)
        ),
        assume_group=target.group_id,
        authorization_details=target.authorization_details,
    )


def _once(find: Callable[[], Metadata]) -> Callable[[], Metadata]:
    found: list[Metadata] = []
    guard = threading.Lock()

    def remembered() -> Metadata:
        with guard:
            if not found:
                found.append(find())
            return found[0]

    return remembered
