"""Who signed in, and whether the answer makes a connection that lasts, of the person who was expected."""

import time
from typing import NamedTuple

from lakekey import _log
from lakekey._hosts import is_account_console
from lakekey._moments import now_in_words
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target, person_key
from lakekey.errors import TokenEndpointError
from lakekey.login.identity import identify, is_of_this_sign_in
from lakekey.oauth import jwt
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import TokenResponse
from lakekey.web import outcomes
from lakekey.web.connections import is_of
from lakekey.web.flows import Flow
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User

_ASK_PATIENCE = 10.0
_OPENID = frozenset({"openid", "profile", "email", "offline_access"})


class Signed(NamedTuple):
    """Who signed in.

    Attributes:
        name: The user name or mail address, or ``None`` if the server does not tell.
        names: All of that person's names.
        issuer: Who says so.
        subject: The issuer's own, unchanging name of the person (OpenID Connect Core §2), or ``""``.
    """

    name: str | None
    names: frozenset[str]
    issuer: str
    subject: str


class Verification:
    """What the answer to one sign-in is checked against.

    Args:
        target: What is signed in to.
        client: The client whose answer it is.
        flow: The sign-in.
        user: Who is at the browser.
    """

    def __init__(self, target: Target, client: Client, flow: Flow, user: User) -> None:
        self._target = target
        self._client = client
        self._flow = flow
        self._user = user

    def who(self, response: TokenResponse) -> Signed:
        """Who signed in.

        Raises:
            LoginFailed: The ID token is of another client or another sign-in, or has expired.
        """
        identity = identify(self._client, self._target.host, response, nonce=self._flow.nonce)
        claims = jwt.claims(response.id_token or "", unsigned=True) or {}
        subject = claims.get("sub")
        subject = subject if isinstance(subject, str) and subject.isprintable() else ""
        return Signed(identity.name, identity.names, self._flow.issuer if subject else "", subject)

    def refused(self, response: TokenResponse) -> Outcome:
        """What to say of an ID token that is refused: one of this very sign-in can only have expired, by our clock."""
        claims = jwt.claims(response.id_token or "", unsigned=True) or {}
        if is_of_this_sign_in(self._client, claims, self._flow.nonce):
            now = now_in_words()
            _log.warning("web", "this machine's clock says %s, and the ID token of a sign-in just now has expired", now)
            return Outcome(outcomes.CLOCK_AHEAD, detail=now)
        return Outcome(outcomes.WRONG_TOKEN)

    def lacks(self, response: TokenResponse, signed: Signed) -> Outcome | None:
        """What the answer lacks for a connection that lasts; ``None`` if it lacks nothing."""
        if response.refresh_token is None or self._target.disable_oauth_refresh_token:
            return Outcome(outcomes.NO_REFRESH_TOKEN, who=signed.name, detail="offline_access")
        if response.scopes is not None:
            missing = set(self._target.scopes) - set(response.scopes) - _OPENID
            if missing:
                return Outcome(outcomes.FEWER_SCOPES, who=signed.name, detail=", ".join(sorted(missing)))
        if signed.name is None:
            return Outcome(outcomes.UNVERIFIED)
        if self._is_not_a_member(response):
            return Outcome(outcomes.NOT_A_MEMBER, who=signed.name)
        return None

    def _is_not_a_member(self, response: TokenResponse) -> bool:
        """Whether the workspace refuses the new token. One of narrow scopes may not ask, and is believed."""
        if "all-apis" not in (response.scopes or self._target.scopes) or is_account_console(self._target.host):
            return False
        url = f"{self._target.host}/api/2.0/preview/scim/v2/Me"
        headers = {"Authorization": f"Bearer {response.access_token}", "Accept": "application/scim+json"}
        try:
            answer = self._client.transport.get(url, headers=headers, deadline=time.monotonic() + _ASK_PATIENCE)
        except TokenEndpointError:
            return False
        return answer.status in (401, 403)

    def expected_instead(self, before: Entry | None, signed: Signed) -> str | None:
        """Who was expected to sign in; ``None`` if it is that person.

        A connection stays that of the person that issuer and subject name. A new one is that of the person who is at
        the browser.
        """
        owner = before.about.get("signed_in") if before is not None and is_of(before, self._user) else None
        if before is not None and owner is not None:
            same = (
                (owner.get("issuer"), owner.get("subject")) == (signed.issuer, signed.subject)
                if owner.get("subject") and signed.subject
                else before.identity is not None and person_key(before.identity) in signed.names
            )
            return None if same else (before.identity or self._user.name)
        return None if person_key(self._user.name) in signed.names else self._user.name
