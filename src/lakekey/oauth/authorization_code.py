"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, RFC 8252): the request, and the exchange."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from lakekey.errors import LoginDenied, LoginFailed, TokenEndpointError
from lakekey.oauth.client import Client
from lakekey.oauth.pkce import Pkce, new_pkce, new_state
from lakekey.oauth.token_response import InvalidGrant, TokenResponse


class AuthorizationRequest(NamedTuple):
    """One sign-in that was begun.

    Attributes:
        url: What the person opens.
        state: What the answer must carry.
        redirect_uri: Where the answer comes to.
        pkce: The verifier, for the exchange.
    """

    url: str
    state: str
    redirect_uri: str
    pkce: Pkce

    def __repr__(self) -> str:
        return f"AuthorizationRequest({self.redirect_uri})"


def begin(client: Client, redirect_uri: str) -> AuthorizationRequest:
    """Build an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
    pkce, state = new_pkce(), new_state()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(client.scopes),
        "state": state,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        **client.extras(),
    }
    endpoint = client.discover().authorization_endpoint
    separator = "&" if urlsplit(endpoint).query else "?"
    return AuthorizationRequest(f"{endpoint}{separator}{urlencode(query)}", state, redirect_uri, pkce)


def finish(
    client: Client, request: AuthorizationRequest, answer: Mapping[str, str], *, deadline: float
) -> TokenResponse:
    """Exchange an authorization answer, whose ``state`` was checked, for tokens (RFC 6749 §4.1.2 and §4.1.3).

    Args:
        client: The client that began it.
        request: What was begun.
        answer: The parameters that came to the redirect address.
        deadline: When to give up, by `time.monotonic`.

    Raises:
        LoginDenied: The person or the server said no.
        LoginFailed: The answer is of another server, or its code is not accepted.
        CredentialsRefused, TokenEndpointError: See `token_response.parse`.
    """
    _check_issuer(client, answer)
    if "error" in answer:
        said = answer["error"][:80]
        if answer.get("error_description"):
            said += f": {answer['error_description'][:300]}"
        kind = LoginDenied if answer["error"] == "access_denied" else LoginFailed
        raise kind(f"the sign-in was refused ({said})", hint="sign in again, and agree to the request")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.pkce.verifier,
    }
    hidden = (answer["code"], request.pkce.verifier)
    try:
        response = client.token_request(form, deadline=deadline, hidden=hidden)
    except InvalidGrant as refusal:
        reason = refusal.description
    else:
        if response.problem:
            raise TokenEndpointError(response.problem, retryable=False)
        return response
    raise LoginFailed(f"the server did not accept the sign-in's code ({reason})", hint="sign in again")


def _check_issuer(client: Client, answer: Mapping[str, str]) -> None:
    """RFC 9207 §2.4: an answer of another server must not be exchanged at this one (mix-up, RFC 9700 §4.4)."""
    metadata = client.discover()
    issuer = answer.get("iss")
    if issuer is None and not metadata.iss_in_response:
        return
    if issuer != metadata.issuer:
        raise LoginFailed(
            "the sign-in's answer comes from another authorization server than it was sent to",
            hint="sign in again; if it happens twice, tell your security team",
        )
