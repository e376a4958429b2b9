"""What the sandbox's routes share: its people, clients, keys, trust and what it has issued."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from lakekey_sandbox.clients import Clients
from lakekey_sandbox.federation import Trust
from lakekey_sandbox.ledger import Family, Ledger, Subject, Token

#: A member of a workspace has one numeric id; these are stable from run to run.
_FIRST_ID = 7000000000000001


@dataclass
class Settings:
    """How tokens are issued; may change while the sandbox runs.

    Attributes:
        token_lifetime: Seconds that an access token lives.
        refresh_lifetime: Seconds that a refresh token lives.
        rotate: Whether refresh tokens are single-use.
        omit_refresh_token: Whether answers to a refresh carry none, so that the old one goes on.
        opaque_tokens: Whether access tokens are random strings instead of JWTs.
        expired_status: The status for an expired access token: 401, or 403 as Databricks also answers.
    """

    token_lifetime: int = 3600
    refresh_lifetime: int = 7 * 24 * 3600
    rotate: bool = True
    omit_refresh_token: bool = False
    opaque_tokens: bool = False
    expired_status: int = 401


@dataclass
class Realm:
    """The sandbox's state.

    Attributes:
        host: The workspace's URL, without a trailing slash.
        users: The names of the people who can sign in.
        account_id: The account that the workspace belongs to.
        workspace_id: The workspace's numeric id.
        settings: How tokens are issued.
        clients: The registered clients.
        ledger: What was issued.
        trust: The foreign issuers that token exchange accepts.
        key: The key that signs tokens; lives in memory only.
    """

    host: str
    users: tuple[str, ...]
    settings: Settings
    account_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    workspace_id: str = "4120000000000001"
    clients: Clients = field(default_factory=Clients)
    ledger: Ledger = field(default_factory=Ledger)
    trust: Trust = field(default_factory=Trust)
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True),
        repr=False,
    )

    def sign(self, claims: dict[str, Any], *, type_: str) -> str:
        """A JWT with these claims, signed RS256."""
        header = {"alg": "RS256", "kid": self.key.kid, "typ": type_}
        return jwt.encode(header, claims, self.key, ["RS256"])

    def knows(self, name: str) -> bool:
        """Whether that user or service principal is a member of the workspace."""
        return name in self.users or self.is_service_principal(name)

    def is_service_principal(self, name: str) -> bool:
        """Whether that is a service principal's application id."""
        client = self.clients.get(name)
        return client is not None and "client_credentials" in client.grants

    def member_id(self, name: str) -> str:
        """The numeric id of a member."""
        if name in self.users:
            return str(_FIRST_ID + self.users.index(name))
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, name).int % 10**16)

    def issued(self, answer: dict[str, Any], subject: Subject, client_id: str, family: Family | None) -> list[Token]:
        """The tokens of a token response (RFC 6749 §5.1), as the ledger keeps them."""
        family = family or Family(subject, client_id)
        now, scope = time.time(), answer.get("scope", "")
        tokens = [Token(answer["access_token"], "access_token", family, scope, now + self.settings.token_lifetime)]
        if "refresh_token" in answer:
            expires_at = now + self.settings.refresh_lifetime
            tokens.append(Token(answer["refresh_token"], "refresh_token", family, scope, expires_at))
        return tokens
