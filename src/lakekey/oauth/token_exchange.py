"""Token exchange (RFC 8693): an identity provider's token for one of the workspace or account."""

from typing import Protocol

from lakekey._imports import LOADING
from lakekey.errors import CredentialsRefused
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import InvalidGrant, TokenResponse
from lakekey.oauth.transport import Transport

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


class SubjectToken(Protocol):
    """Where the tokens come from that are exchanged (RFC 8693 §2.1, ``subject_token``).

    Attributes:
        place: What messages call it.
    """

    place: str

    def fetch(self, transport: Transport, audience: str, *, deadline: float) -> str:
        """A token, now.

        Args:
            transport: HTTP, for sources that ask a service.
            audience: The token's audience, if the source lets that be chosen.
            deadline: When to give up, by `time.monotonic`.
        """


class TokenExchange:
    """A workload, by the token that its identity provider gives it.

    Args:
        client: The client: with an id for workload identity federation, without one for an account-wide policy.
        source: Where identity tokens come from; asked again for each exchange, since they are short-lived.
        outside: HTTP to the identity provider, whose certificate is not the workspace's.
        audience: The identity token's audience; ``None`` for what the host names, else its token endpoint.
    """

    needs_person = False

    def __init__(self, client: Client, source: SubjectToken, outside: Transport, audience: str | None) -> None:
        self._client = client
        self._source = source
        self._outside = outside
        self._audience = audience

    def prepare(self) -> None:
        """See `Grant.prepare`."""
        self._client.discover()

    def renew(self, refresh_token: str, *, deadline: float) -> TokenResponse:  # noqa: ARG002 - this grant has none
        """See `Grant.renew`: one exchange (RFC 8693 §2.1)."""
        metadata = self._client.discover()
        audience = self._audience or metadata.audience or metadata.token_endpoint
        token = self._source.fetch(self._outside, audience, deadline=deadline)
        form = {
            "grant_type": GRANT_TYPE,
            "subject_token": token,
            "subject_token_type": JWT,
            "scope": " ".join(self._client.scopes),
            **self._client.extras(),
        }
        try:
            return self._client.token_request(form, deadline=deadline, hidden=(token,))
        except InvalidGrant as refusal:  # RFC 8693 §2.2.2: here it is the subject token that is not accepted
            said = refusal.description
        with LOADING:
            from lakekey.oauth.jwt import description

        raise CredentialsRefused(
            f"the server does not accept the identity token from {self._source.place} ({said}); it says "
            f"{description(token)}",
            error="invalid_grant",
            hint="compare it with the federation policy's issuer, subject and audience; it may also have expired",
        )
