"""Puts together what renews a session: HTTP, the OAuth client, the grant, and the sign-in where a person is there."""

from collections.abc import Callable, Mapping

from lakekey import _version
from lakekey._imports import LOADING, expanded
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.configuration.target import M2M, Target
from lakekey.configuration.unpickled import client_secret
from lakekey.errors import with_home
from lakekey.oauth import revocation
from lakekey.oauth.client import Client
from lakekey.oauth.connections import KeptConnections
from lakekey.oauth.discovery import Metadata, discover
from lakekey.oauth.grants import ClientCredentials, Grant, RefreshToken
from lakekey.oauth.transport import Transport
from lakekey.session.credential import Credential
from lakekey.session.discovery_cache import RememberedDiscovery
from lakekey.session.entry_queue import EntryQueue
from lakekey.session.renewal import Renewal


def assemble(credential: Credential, queue: EntryQueue) -> Renewal:
    """Build the renewal of a credential from its target.

    Args:
        credential: Whose entry it is.
        queue: The queue for it.

    Raises:
        ConfigurationError: A setting contradicts another.
    """
    target, environ = credential.target, credential.environ
    client = client_of(target, credential.cache)

    def revoke(entry: Entry) -> str:
        if entry.refresh_token:
            return revocation.revoke(client, entry.refresh_token)
        return revocation.revoke(client, entry.access_token, hint="access_token")

    if target.auth_type == M2M:
        return Renewal(credential, queue, ClientCredentials(client), None, revoke)
    if target.is_federated:
        return Renewal(credential, queue, _exchange_of(target, client, environ), None, revoke)
    if not credential.attended:
        return Renewal(credential, queue, RefreshToken(client), None, revoke)
    with LOADING:
        from lakekey.login.sign_in import PersonSignIn  # a web server, loaded only where a person signs in

    return Renewal(
        credential, queue, RefreshToken(client), PersonSignIn(target, client, environ, credential.interactive), revoke
    )


def _exchange_of(target: Target, client: Client, environ: Mapping[str, str]) -> Grant:
    with LOADING:
        from lakekey.oauth.token_exchange import TokenExchange
        from lakekey.workload_identity import source_of

    source = source_of(
        target.auth_type,
        variable=target.oidc_token_env,
        path=target.oidc_token_filepath,
        profile=target.name,
        environ=environ,
    )
    # The identity provider's certificate is not the workspace's: no ca_file of the profile here.
    outside = Transport(user_agent=f"lakekey/{_version.__version__}")
    return TokenExchange(client, source, outside, target.token_audience)


def client_of(
    target: Target,
    cache: Cache | None = None,
    *,
    kept: KeptConnections | None = None,
    before_asking: Callable[[], None] | None = None,
) -> Client:
    """The OAuth client of a target. Nothing is sent yet.

    Args:
        target: What to sign in to.
        cache: Where its authorization server is remembered; ``None`` to ask the network.
        kept: See `transport_of`.
        before_asking: Is called before the network is asked for the authorization server.
    """
    transport = transport_of(target, kept=kept)
    # RFC 6749 §6 and OpenID Connect Core §11: a refresh token is asked for by offline_access; a service principal
    # needs none, since it can always ask again.
    wants_refresh_token = target.is_person and not target.disable_oauth_refresh_token
    scopes = (*target.scopes, "offline_access") if wants_refresh_token else target.scopes

    has_app_secret = target.is_person and "client_secret" in target.sources

    def find() -> Metadata:
        if before_asking is not None:
            before_asking()
        return discover(transport, target.host, account_id=target.account_id, discovery_url=target.discovery_url)

    known = find
    if cache is not None:
        known = RememberedDiscovery(
            cache, host=target.host, account_id=target.account_id, discovery_url=target.discovery_url, find=find
        )
    return Client(
        client_id=target.client_id,
        # A pickled target leaves its secret behind, and finds it again here.
        secret=client_secret(target) if target.auth_type == M2M or has_app_secret else None,
        scopes=tuple(sorted(scopes)),
        transport=transport,
        discover=_memoized(known),
        assume_group=target.group_id,
        authorization_details=target.authorization_details,
        older_secret=target.older_secret,
    )


def transport_of(target: Target, *, kept: KeptConnections | None = None) -> Transport:
    """HTTP to a target's host, with the one TLS and proxy setting that serves all calls.

    Args:
        target: What to sign in to.
        kept: Where connections wait for the next request; ``None``: each request has one of its own.
    """
    return Transport(
        ca_file=target.ca_file,
        user_agent=f"lakekey/{_version.__version__}",
        client_certificate=_client_certificate(target),
        kept=kept,
    )


def _client_certificate(target: Target) -> tuple[str, str] | None:
    if not target.client_cert:
        return None
    certificate = with_home(expanded(target.client_cert), "client_cert")
    return certificate, with_home(expanded(target.client_key), "client_key") if target.client_key else certificate


def _memoized(find: Callable[[], Metadata]) -> Callable[[], Metadata]:
    found: list[Metadata] = []

    def remembered() -> Metadata:
        # No lock: two threads may both ask, and neither waits for the other, or for itself.
        if not found:
            found.append(find())
        return found[0]

    return remembered
