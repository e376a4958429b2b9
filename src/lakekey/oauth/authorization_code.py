"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, RFC 8252): the request, and the exchange."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from lakekey.errors import LoginDenied, LoginFailed
from lakekey.oauth.client import Client
from lakekey.oauth.pkce import Pkce, new_pkce, new_state
from lakekey.oauth.token_response import InvalidGrant, TokenResponse
from lakekey.oauth.transport_errors import printable

# What the extras may not bring in either: what would replace the parameters that protect the sign-in (RFC 9101 §5),
# send its answer on another way, or cause a role or details under which the session is not kept.
_RESERVED = frozenset(
    {"assume_group", "authorization_details", "client_secret", "nonce", "request", "request_uri", "response_mode"}
)


class AuthorizationRequest(NamedTuple):
    """One sign-in that was begun.

    Attributes:
        url: What the person opens.
        state: What the answer must carry.
        redirect_uri: Where the answer comes to.
        pkce: The verifier, for the exchange.
        nonce: What the ID token must carry (OpenID Connect Core §3.1.2.1), where one is asked for.
    """

    url: str
    state: str
    redirect_uri: str
    pkce: Pkce
    nonce: str | None = None

    def __repr__(self) -> str:
        return f"AuthorizationRequest({self.redirect_uri})"


def begin(
    client: Client,
    redirect_uri: str,
    *,
    login_hint: str | None = None,
    extras: str | None = None,
    state: str | None = None,
) -> AuthorizationRequest:
    """Build an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3).

    Args:
        client: Who asks.
        redirect_uri: Where the answer is to come to.
        login_hint: Who is expected to sign in (OpenID Connect Core §3.1.2.1).
        extras: Further parameters for the authorization endpoint, as ``name=value&name=value``.
        state: The ``state``, which has at least 256 random bits; ``None`` for a new one.

    Raises:
        ValueError: The extras are malformed, or would replace one of the parameters that protect the sign-in.
    """
    pkce, state = new_pkce(), state or new_state()
    nonce = new_state() if "openid" in client.scopes else None
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(client.scopes),
        "state": state,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        **({"nonce": nonce} if nonce else {}),
        **({"login_hint": login_hint} if login_hint else {}),
        **client.extras(),
    }
    for name, value in _extras(extras).items():
        if name in _RESERVED or (name in query and name != "login_hint"):
            raise ValueError(f"{name} is not for the configuration to choose")
        query[name] = value
    endpoint = client.discover().authorization_endpoint
    separator = "&" if urlsplit(endpoint).query else "?"
    return AuthorizationRequest(f"{endpoint}{separator}{urlencode(query)}", state, redirect_uri, pkce, nonce)


def _extras(given: str | None) -> dict[str, str]:
    return dict(parse_qsl(given, strict_parsing=True, keep_blank_values=True)) if given else {}


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
        raise kind(f"the sign-in was refused ({printable(said)})", hint=_advice(answer["error"]))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.pkce.verifier,
    }
    hidden = (answer["code"], request.pkce.verifier, request.state)
    try:
        return client.token_request(form, deadline=deadline, hidden=hidden).checked()
    except InvalidGrant as refusal:
        reason = refusal.description
    raise LoginFailed(f"the server did not accept the sign-in's code ({reason})", hint="sign in again")


def _advice(error: str) -> str:
    if error == "invalid_scope":
        return "the app may not ask for one of these scopes: fix scopes in the profile, or the app's registration"
    if error == "unauthorized_client":
        return "the app may not sign people in: see client_id in the profile, and the app's registration"
    if error in ("server_error", "temporarily_unavailable"):
        return "try again in a moment"
    return "sign in again, and agree to the request"


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
