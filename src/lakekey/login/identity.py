"""Who signed in, by what the server says and not by what the configuration expects."""

import math
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from lakekey._moments import now_in_words
from lakekey.configuration.target import Target, person_key
from lakekey.errors import LoginFailed, TokenEndpointError, WrongIdentity
from lakekey.oauth import jwt
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import TokenResponse
from lakekey.oauth.transport import Transport

_CLAIMS = ("email", "preferred_username", "upn", "unique_name", "sub")
_PATIENCE = 10.0
_CLOCK_TOLERANCE = 300.0


class Identity(NamedTuple):
    """Who new tokens belong to.

    Attributes:
        name: The user name or mail address, or ``None`` if the server does not tell.
        names: All names of that person that the server told, as `person_key` has them.
        group: The group whose role the access token carries, where it says.
    """

    name: str | None
    names: frozenset[str] = frozenset()
    group: str | None = None


def identify(client: Client, host: str, response: TokenResponse, *, nonce: str | None = None) -> Identity:
    """Who is behind new tokens.

    The claims of a token that came straight from the token endpoint over TLS need no signature check (OpenID Connect
    Core §3.1.3.7, point 6). Where no token tells, the userinfo endpoint and the workspace's SCIM ``Me`` are asked.

    Args:
        client: The client that the tokens were issued to.
        host: The workspace or account host.
        response: The new tokens.
        nonce: What the ID token must carry, where one was sent.

    Raises:
        LoginFailed: The ID token is not for this client, server or sign-in, or has expired by the clock here.
    """
    id_claims = jwt.claims(response.id_token or "", unsigned=True)
    if id_claims is not None:  # also one that claims nothing, and so none of what it must
        _check_id_token(client, id_claims, nonce)
    access_claims = jwt.claims(response.access_token) or {}
    group = access_claims.get("group_id")
    group = group if isinstance(group, str) and group.isprintable() and group else None
    if names := _names(id_claims or {}, subject=True):
        return Identity(names[0], _keys(names), group)
    if names := _names(access_claims, subject=False):
        return Identity(names[0], _keys(names), group)
    for fields in _answers_of_endpoints(client, host, response):
        if names := _names(fields, subject=True):
            return Identity(names[0], _keys(names), group)
    return Identity(None, group=group)


def is_of_this_sign_in(client: Client, claims: dict[str, Any], nonce: str | None) -> bool:
    """Whether an ID token is the one that this sign-in is answered with (OpenID Connect Core §3.1.3.7, 2 to 5 and 11).

    Args:
        client: The client that the tokens were issued to.
        claims: What the ID token claims. Whether it has expired is another question.
        nonce: What it must carry, where one was sent.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    authorized = claims.get("azp", client.client_id if len(audiences) == 1 else None)
    return (
        claims.get("iss") == client.discover().issuer
        and client.client_id in audiences
        and authorized == client.client_id
        and _is_date(claims.get("exp"))
        and (nonce is None or claims.get("nonce") == nonce)
    )


def _check_id_token(client: Client, claims: dict[str, Any], nonce: str | None) -> None:
    """Another sign-in's token must not stand for this one, nor one that has expired (point 9)."""
    if not is_of_this_sign_in(client, claims, nonce):
        raise LoginFailed(
            "the server's ID token was issued for another client or another sign-in",
            hint="sign in again; if it happens twice, tell your security team",
        )
    if claims["exp"] <= time.time() - _CLOCK_TOLERANCE:
        now = now_in_words()
        raise LoginFailed(
            f"the server's ID token has expired on arrival: by the clock here, it is {now}",
            hint="set the clock of this machine, then sign in again",
        )


def _is_date(seconds: Any) -> bool:
    try:
        return isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
    except OverflowError:  # a whole number of JSON may have any number of digits
        return False


def _names(claims: dict[str, Any], *, subject: bool) -> list[str]:
    """The person's names among some claims; a bare ``sub`` counts only where it is known to mean a person.

    A name is shown on terminals, so one with control characters does not count.
    """
    found = []
    for name in (*_CLAIMS, "userName"):
        value = claims.get(name)
        if not isinstance(value, str) or not value.isprintable():
            continue
        if value and ("@" in value or name == "userName" or (subject and name == "sub")):
            found.append(value)
    return found


def _keys(names: Iterable[str]) -> frozenset[str]:
    return frozenset(person_key(name) for name in names)


def _answers_of_endpoints(client: Client, host: str, response: TokenResponse) -> Iterable[dict[str, Any]]:
    """What the server's own endpoints say of the person. A sign-in is not lost because one of them fails."""
    endpoint = client.discover().userinfo_endpoint
    granted = response.scopes or client.scopes
    if endpoint and "openid" in granted:
        yield _get(client.transport, endpoint, response.access_token, "application/json")
    accept = "application/scim+json, application/json"
    yield _get(client.transport, f"{host}/api/2.0/preview/scim/v2/Me", response.access_token, accept)


def _get(transport: Transport, url: str, access_token: str, accept: str) -> dict[str, Any]:
    try:
        answer = transport.get(
            url,
            headers={"Authorization": f"Bearer {access_token}", "Accept": accept},
            deadline=time.monotonic() + _PATIENCE,
        )
    except TokenEndpointError:
        return {}
    return (answer.json_object() or {}) if answer.status == 200 else {}


def check_identity(target: Target, identity: Identity, held: str | None) -> None:
    """Refuse a sign-in as another person than the profile names, or than the session belonged to.

    Args:
        target: What was signed in to; its ``user`` and ``group_id`` are what the profile names.
        identity: Who signed in, as the server says.
        held: Who the session belonged to, or ``None`` if it is new or may change hands.

    Raises:
        WrongIdentity: It is another person, or that is unknown although the profile or the session names one.
    """
    if target.user and person_key(target.user) not in identity.names:
        named = _spelled(target.user)
        raise WrongIdentity(
            f"{_shown(identity)} signed in, but this profile is for {named}",
            hint=f"sign out of {target.host} in the browser, and sign in as {named}",
            profile=target.name,
        )
    if held and person_key(held) not in identity.names:
        # Nor a person that the server does not name: the session could change hands unseen.
        owner = _spelled(held)
        raise WrongIdentity(
            f"{_shown(identity)} signed in, but this session is {owner}'s",
            hint=f"sign in as {owner}, or hand the session over with: {target.login_command} --switch",
            profile=target.name,
        )
    if target.group_id and identity.group and identity.group != target.group_id:
        raise WrongIdentity(
            f"the sign-in is for the group {identity.group}, but this profile assumes {target.group_id}",
            hint="ask the administrator whether you may assume that group",
            profile=target.name,
        )


def _shown(identity: Identity) -> str:
    return _spelled(identity.name) if identity.name else "a person that the server does not name"


def _spelled(name: str) -> str:
    """A name with what is not ASCII escaped: letters of other scripts can look just like it."""
    return name.encode("ascii", "backslashreplace").decode()
