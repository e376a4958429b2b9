"""How a credential is renewed without a person: the refresh grant, and client credentials."""

from typing import Protocol

from lakekey.oauth.client import Client
from lakekey.oauth.token_response import TokenResponse


class Grant(Protocol):
    """One exchange at the token endpoint.

    Attributes:
        needs_person: Whether a session begins with a person's sign-in.
    """

    needs_person: bool

    def prepare(self) -> None:
        """Find the token endpoint, where it is not known yet.

        Raises:
            TokenEndpointError: It cannot be found.
        """

    def renew(self, refresh_token: str, *, deadline: float) -> TokenResponse:
        """Get new tokens.

        Args:
            refresh_token: The stored refresh token; ignored by grants that have none.
            deadline: When to give up, by `time.monotonic`.

        Raises:
            InvalidGrant: The refresh token is dead.
            CredentialsRefused: The client, its secret or its scopes are refused.
            TokenEndpointError: No usable answer; trying again may help.
        """


class RefreshToken:
    """A person's session, renewed by its refresh token (RFC 6749 §6).

    Args:
        client: The client that the session belongs to.
    """

    needs_person = True

    def __init__(self, client: Client) -> None:
        self._client = client

    def prepare(self) -> None:
        """See `Grant.prepare`."""
        self._client.discover()

    def renew(self, refresh_token: str, *, deadline: float) -> TokenResponse:
        """See `Grant.renew`. No scope is sent: the grant keeps those that the person agreed to."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._client.token_request(form, deadline=deadline, hidden=(refresh_token,))


class ClientCredentials:
    """A service principal (RFC 6749 §4.4).

    Args:
        client: The service principal's client, with its secret.
    """

    needs_person = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def prepare(self) -> None:
        """See `Grant.prepare`."""
        self._client.discover()

    def renew(self, refresh_token: str, *, deadline: float) -> TokenResponse:  # noqa: ARG002 - this grant has none
        """See `Grant.renew`."""
        form = {"grant_type": "client_credentials", "scope": " ".join(self._client.scopes), **self._client.extras()}
        return self._client.token_request(form, deadline=deadline)
