"""The registered clients, in the shape that Authlib asks for (RFC 6749 §2)."""

import hmac
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from lakekey._hosts import LOOPBACK

#: What a workspace offers: the broad scopes, OpenID Connect's, and some of the fine-grained API scopes.
SCOPES = (
    "all-apis",
    "sql",
    "offline_access",
    "openid",
    "profile",
    "email",
    "clusters",
    "files",
    "jobs",
    "unity-catalog",
)
DEFAULT_SCOPE = "all-apis"


@dataclass(frozen=True)
class Client:
    """A registered client; without a secret it is public (RFC 6749 §2.1).

    Attributes:
        client_id: The identifier.
        client_secret: The secret of a confidential client.
        redirect_uris: Registered redirect URIs; empty for clients that cannot ask a person.
        scopes: What the client may ask for.
        grants: The grant types that the client may use.
        name: What to call it.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = SCOPES
    grants: tuple[str, ...] = ("authorization_code", "refresh_token")
    name: str = ""

    def get_client_id(self) -> str:
        """The client identifier."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a request has to name its redirect URI, as Databricks wants it."""
        return

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scope as granted, or ``None`` if the client may not have it (RFC 6749 §3.3)."""
        requested = (scope or DEFAULT_SCOPE).split()
        return " ".join(requested) if set(requested) <= set(self.scopes) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether the URI is registered: exactly, but for a loopback URI's port (RFC 8252 §7.3)."""
        return redirect_uri in self.redirect_uris or any(
            _same_loopback(redirect_uri, registered) for registered in self.redirect_uris
        )

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is the client's secret; in constant time."""
        if self.client_secret is None:
            return False
        return hmac.compare_digest(self.client_secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  Authlib's signature
        """Whether the client may authenticate so: a public one with nothing, others with their secret."""
        return (method == "none") == (self.client_secret is None)

    def check_response_type(self, response_type: str) -> bool:
        """Whether the client may use the authorization endpoint."""
        return response_type == "code" and "authorization_code" in self.grants

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use the grant."""
        return grant_type in self.grants


def _same_loopback(requested: str, registered: str) -> bool:
    """Compares two loopback redirect URIs without their ports."""
    try:
        one, other = urlsplit(requested), urlsplit(registered)
        one.port, other.port  # noqa: B018  reading the port is what validates it
    except ValueError:
        return False
    return _is_loopback(one) and _is_loopback(other) and _without_port(one) == _without_port(other)


def _is_loopback(uri: SplitResult) -> bool:
    return (
        uri.scheme == "http"
        and uri.hostname in LOOPBACK
        and uri.username is None
        and uri.password is None
        and not uri.fragment
    )


def _without_port(uri: SplitResult) -> tuple[str | None, str, str]:
    # RFC 3986 §6.2.3: an empty path is the same as "/".
    return uri.hostname, uri.path or "/", uri.query


class Clients:
    """The register of clients."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def add(self, client: Client) -> Client:
        """Registers a client, or replaces the one with its identifier."""
        self._clients[client.client_id] = client
        return client

    def get(self, client_id: str) -> Client | None:
        """The client with that identifier."""
        return self._clients.get(client_id)


def built_in() -> list[Client]:
    """The public clients that every Databricks workspace knows."""
    loopback = ("http://localhost:8020", "http://127.0.0.1:8020", "http://[::1]:8020")
    return [
        Client("databricks-cli", redirect_uris=loopback, name="Databricks command line"),
        Client("databricks-sql-python", redirect_uris=loopback, name="Databricks SQL connector for Python"),
    ]
