"""An OAuth client at one authorization server: who we are there, and how a token request is sent."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from lakekey.errors import CredentialsRefused
from lakekey.oauth.answer import Answer
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.token_response import TokenResponse, parse
from lakekey.oauth.transport import Transport

# Entra ID redeems what was issued to a redirect address of its kind "single-page application" for cross-origin
# requests only, and says so by this number; what was issued to another kind it redeems without an Origin only.
_ENTRA_WANTS_ORIGIN = b"AADSTS9002327"


class Client(NamedTuple):
    """A registered client.

    Attributes:
        client_id: Its id; empty where the subject of a token exchange stands for itself.
        secret: Its secret, or ``None`` for a public client (RFC 6749 §2.1).
        scopes: What it asks for, sorted.
        transport: HTTP.
        discover: Finds the authorization server; called when an exchange needs it, not before.
        assume_group: The group whose role is assumed, or ``None``.
        authorization_details: Rich authorization details as JSON (RFC 9396), or ``None``.
        older_secret: A secret that is sent where the server does not accept ``secret``, while one replaces the other.
    """

    client_id: str
    secret: str | None
    scopes: tuple[str, ...]
    transport: Transport
    discover: Callable[[], Metadata]
    assume_group: str | None = None
    authorization_details: str | None = None
    older_secret: str | None = None

    def __repr__(self) -> str:
        return f"Client({self.client_id}, {'confidential' if self.secret else 'public'})"

    def token_request(self, form: Mapping[str, str], *, deadline: float, hidden: tuple[str, ...] = ()) -> TokenResponse:
        """Send one request to the token endpoint.

        A confidential client authenticates by HTTP Basic; a public one names itself in the form (RFC 6749 §3.2.1).

        Args:
            form: The grant's own fields.
            deadline: When to give up, by `time.monotonic`.
            hidden: Secrets among the fields, to be cut from what the server says in an error.

        Raises:
            InvalidGrant, CredentialsRefused, TokenEndpointError: See `token_response.parse`.
        """
        endpoint = self.discover().token_endpoint
        answer = self.post(endpoint, form, deadline=deadline)
        if answer.status == 400 and _ENTRA_WANTS_ORIGIN in answer.body:
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(form.get("redirect_uri", "http://localhost")))
            answer = self.post(endpoint, form, deadline=deadline, headers={"Origin": origin})
        try:
            return parse(answer, hidden=(self.secret, self.older_secret, *hidden))
        except CredentialsRefused as refusal:
            # RFC 6749 §5.2: the client is authenticated first, so the grant itself is not spent.
            if refusal.error != "invalid_client" or not self.older_secret or self.older_secret == self.secret:
                raise
        return self._replace(secret=self.older_secret, older_secret=None).token_request(
            form, deadline=deadline, hidden=hidden
        )

    def post(
        self, endpoint: str, form: Mapping[str, str], *, deadline: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST a form to one of the server's endpoints, authenticated as `token_request` says."""
        if self.secret:
            basic = (self.client_id, self.secret)
            return self.transport.post_form(endpoint, form, basic=basic, headers=headers, deadline=deadline)
        named = {"client_id": self.client_id} if self.client_id else {}  # none: an account-wide federation policy
        return self.transport.post_form(endpoint, {**form, **named}, headers=headers, deadline=deadline)

    def extras(self) -> dict[str, str]:
        """Fields that go with every request that asks for a new authorization: the role and the details."""
        fields = {"assume_group": self.assume_group, "authorization_details": self.authorization_details}
        return {name: value for name, value in fields.items() if value}
