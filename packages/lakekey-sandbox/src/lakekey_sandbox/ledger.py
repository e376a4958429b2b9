"""What the sandbox has issued: codes, tokens and their families, changed under one lock."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lakekey_sandbox.clients import Client

Kind = Literal["access_token", "refresh_token"]


@dataclass(frozen=True)
class Subject:
    """Who a token speaks for.

    Attributes:
        name: A user name, or a service principal's application id.
        group: The group whose role was assumed, if any.
    """

    name: str
    group: str | None = None

    def get_user_id(self) -> str:
        """The identity, under the name that Authlib asks for."""
        return self.name


@dataclass(eq=False)
class Family:
    """All tokens that descend from one authorization; revoked together (RFC 9700 §4.14.2)."""

    subject: Subject
    client_id: str
    revoked: bool = False


@dataclass(eq=False)
class Code:
    """An authorization code (RFC 6749 §4.1.2), with what Authlib reads from it."""

    value: str = field(repr=False)
    client_id: str
    redirect_uri: str
    scope: str
    subject: Subject
    code_challenge: str
    code_challenge_method: str
    nonce: str | None
    expires_at: float
    auth_time: int
    family: Family | None = None

    def get_redirect_uri(self) -> str:
        """The redirect URI that the code was sent to."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """The scope that was granted."""
        return self.scope

    def get_nonce(self) -> str | None:
        """The nonce of an OpenID Connect request."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person signed in, epoch seconds."""
        return self.auth_time

    def get_acr(self) -> None:
        """No authentication context class."""
        return

    def get_amr(self) -> None:
        """No authentication methods."""
        return


@dataclass(eq=False)
class Token:
    """An access or refresh token, with what Authlib reads from it."""

    value: str = field(repr=False)
    kind: Kind
    family: Family
    scope: str
    expires_at: float
    revoked: bool = False
    spent: bool = False

    def check_client(self, client: Client) -> bool:
        """Whether the token was issued to the client."""
        return self.family.client_id == client.client_id

    def get_scope(self) -> str:
        """The token's scope."""
        return self.scope

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at <= time.time()

    def is_revoked(self) -> bool:
        """Whether it, or its family, was revoked."""
        return self.revoked or self.family.revoked

    def is_valid(self) -> bool:
        """Whether it may be used now."""
        return not (self.spent or self.is_revoked() or self.is_expired())


class Ledger:
    """Codes and tokens. Redeeming and rotating are atomic: of two uses at once, one wins."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}

    def add_code(self, code: Code) -> None:
        """Remembers a code that was sent to a client."""
        with self._lock:
            self._codes[code.value] = code

    def code(self, value: str, client_id: str) -> Code | None:
        """The code, if that client may redeem it now.

        A code that comes a second time revokes what the first use got (RFC 6749 §4.1.2).
        """
        with self._lock:
            code = self._codes.get(value)
            if code is None or code.client_id != client_id:
                return None
            if code.family is not None:
                code.family.revoked = True
                return None
            return None if code.expires_at <= time.time() else code

    def redeem(self, code: Code, tokens: list[Token]) -> bool:
        """Spends the code and records its tokens, unless another request was faster."""
        with self._lock:
            if code.family is not None:
                code.family.revoked = True
                return False
            code.family = tokens[0].family
            self._record(tokens)
            return True

    def rotate(self, old: Token, tokens: list[Token]) -> bool:
        """Records the tokens that a refresh brought, and spends the old one if a new one replaces it.

        Returns:
            False where the old one was spent meanwhile, which revokes the family, or was revoked.
        """
        with self._lock:
            if self.detect_reuse(old) or not old.is_valid():
                return False
            old.spent = any(new.kind == "refresh_token" and new.value != old.value for new in tokens)
            self._record(tokens)
            return True

    def detect_reuse(self, token: Token) -> bool:
        """Revokes the family of a refresh token that was already spent (RFC 9700 §4.14.2)."""
        with self._lock:
            if token.spent:
                token.family.revoked = True
            return token.spent

    def record(self, tokens: list[Token]) -> None:
        """Remembers tokens that come from no earlier one."""
        with self._lock:
            self._record(tokens)

    def find(self, value: str, kind: Kind | None = None) -> Token | None:
        """The token with that value, in whatever state."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token is not None and kind in (None, token.kind) else None

    def revoke(self, *, subject: str | None = None, token: str | None = None) -> int:
        """Revokes a subject's tokens, one token, or all of them.

        A refresh token takes its family with it (RFC 7009 §2.1).

        Returns:
            How many usable tokens that ended.
        """
        with self._lock:
            before = self._usable()
            for found in list(self._select(subject, token)):
                if token is None or found.kind == "refresh_token":
                    found.family.revoked = True
                found.revoked = True
            return before - self._usable()

    def expire(self, *, subject: str | None = None, token: str | None = None) -> int:
        """Makes a subject's access tokens, one token, or all access tokens count as expired now.

        Returns:
            How many usable tokens that were.
        """
        with self._lock:
            before, now = self._usable(), time.time()
            for found in self._select(subject, token):
                if token is not None or found.kind == "access_token":
                    found.expires_at = min(found.expires_at, now)
            return before - self._usable()

    def refresh_tokens(self, subject: str) -> list[str]:
        """The refresh tokens of a subject that would be accepted now."""
        with self._lock:
            return [
                token.value
                for token in self._select(subject, None)
                if token.kind == "refresh_token" and token.is_valid()
            ]

    def _record(self, tokens: list[Token]) -> None:
        for token in tokens:
            self._tokens[token.value] = token

    def _select(self, subject: str | None, value: str | None) -> Iterator[Token]:
        for token in self._tokens.values():
            if (subject is None or token.family.subject.name == subject) and value in (None, token.value):
                yield token

    def _usable(self) -> int:
        return sum(token.is_valid() for token in self._tokens.values())
