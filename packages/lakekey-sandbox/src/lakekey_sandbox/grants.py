"""The grants of the token endpoint, on Authlib's: what they add is Databricks' shape and atomicity.

Authlib checks first and saves later. Two requests with one code, or one refresh token, can both pass the
check; so each grant here decides in ``save_token``, in one step of the ledger under its lock.
"""
# Authlib carries no types: its classes are Any to mypy.
# mypy: disable-error-code="misc"

import secrets
import time
from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Request,
    grants,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import g

from lakekey_sandbox.clients import Client
from lakekey_sandbox.federation import FederationRefused
from lakekey_sandbox.ledger import Code, Subject, Token
from lakekey_sandbox.realm import Realm
from lakekey_sandbox.records import note

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"

# RFC 6749 §4.1.2 allows ten minutes; a browser on the same machine needs seconds.
_CODE_SECONDS = 60
CLIENT_METHODS = ["none", "client_secret_basic", "client_secret_post"]


def issuer() -> str:
    """The issuer that the request in progress speaks to: the workspace's, or the account's."""
    return str(g.issuer)


def group_of(request: OAuth2Request) -> str | None:
    """The group whose role the request asks for, under either of its two names."""
    data = request.payload.data
    return data.get("assume_group") or data.get("group_id") or None


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """RFC 6749 §4.1: a person signs in, the client redeems the code."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS

    @property
    def realm(self) -> Realm:
        """The sandbox's state."""
        return self.server.realm  # type: ignore[no-any-return]

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Remembers the code with all that its redemption has to match."""
        now = time.time()
        data = request.payload.data
        self.realm.ledger.add_code(
            Code(
                value=code,
                client_id=request.client.client_id,
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                subject=request.user,
                code_challenge=data["code_challenge"],
                code_challenge_method=data["code_challenge_method"],
                nonce=data.get("nonce"),
                expires_at=now + _CODE_SECONDS,
                auth_time=int(now),
            )
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """The code, if it can be redeemed."""
        return self.realm.ledger.code(code, client.client_id)

    def authenticate_user(self, authorization_code: Code) -> Subject:
        """Who signed in."""
        return authorization_code.subject

    def generate_token(self, **options: Any) -> dict[str, Any]:
        """Makes the tokens; a refresh token only for ``offline_access``."""
        options["include_refresh_token"] = "offline_access" in options["scope"].split()
        return super().generate_token(**options)  # type: ignore[no-any-return]

    def save_token(self, token: dict[str, Any]) -> None:
        """Spends the code for these tokens, or refuses where another request was faster."""
        code: Code = self.request.authorization_code
        tokens = self.realm.issued(token, code.subject, code.client_id, None)
        if not self.realm.ledger.redeem(code, tokens):
            raise InvalidGrantError("Invalid 'code' in request.")

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Nothing: a spent code is kept, so that its second use is recognised."""


class S256Only(CodeChallenge):
    """RFC 7636 with S256 alone, and required of every client (RFC 9700 §2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  Authlib's shape

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuses requests without a challenge, and ``plain``, also by default (RFC 7636 §4.3)."""
        data = grant.request.payload.data
        if not data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge'")
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Unsupported 'code_challenge_method': only S256 is allowed")
        super().validate_code_challenge(grant, redirect_uri)


class IdToken(OpenIDCode):
    """Adds an ID token where the scope holds ``openid`` (OpenID Connect Core §3.1.3.3).

    Args:
        realm: The sandbox's state.
    """

    def __init__(self, realm: Realm) -> None:
        super().__init__(require_nonce=False)
        self._realm = realm

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:  # noqa: ARG002  Authlib's signature
        """No: it is the client that detects a replayed nonce."""
        return False

    def resolve_client_private_key(self, client: Client) -> Any:  # noqa: ARG002
        """The key that signs."""
        return self._realm.key

    def get_encode_header(self, client: Client) -> dict[str, Any]:  # noqa: ARG002
        """The header that names the key."""
        return {"alg": "RS256", "kid": self._realm.key.kid}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        """Issuer and audience."""
        return {"iss": issuer(), "aud": client.client_id}

    def generate_user_info(self, user: Subject, scope: str) -> dict[str, Any]:  # noqa: ARG002
        """The claims about the person."""
        return {"sub": user.name, "email": user.name}


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """RFC 6749 §6, with rotation and detection of reuse (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    @property
    def realm(self) -> Realm:
        """The sandbox's state."""
        return self.server.realm  # type: ignore[no-any-return]

    def authenticate_refresh_token(self, refresh_token: str) -> Token:
        """The refresh token, if it can be used; a spent one revokes its family."""
        token = self.realm.ledger.find(refresh_token, "refresh_token")
        if token is None or self.realm.ledger.detect_reuse(token) or not token.is_valid():
            raise _dead(token)
        return token

    def authenticate_user(self, refresh_token: Token) -> Subject:
        """Who signed in."""
        return refresh_token.family.subject

    def generate_token(self, **options: Any) -> dict[str, Any]:
        """Makes the tokens, with a new refresh token, the same one, or none."""
        settings = self.realm.settings
        answer: dict[str, Any] = super().generate_token(**options)
        if settings.omit_refresh_token:
            # RFC 6749 §6: without a new refresh token in the answer, the old one goes on.
            del answer["refresh_token"]
        elif not settings.rotate:
            answer["refresh_token"] = self.request.refresh_token.value
        return answer

    def save_token(self, token: dict[str, Any]) -> None:
        """Commits the rotation, or refuses where another request was faster."""
        old: Token = self.request.refresh_token
        tokens = self.realm.issued(token, old.family.subject, old.family.client_id, old.family)
        if not self.realm.ledger.rotate(old, tokens):
            raise _dead(old)

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Nothing: the rotation has spent it."""


def _dead(token: Token | None) -> InvalidGrantError:
    """The refusal of a refresh token, in Databricks' words, which clients may look for."""
    note(detail="reuse" if token is not None and token.spent else None)
    return InvalidGrantError("Refresh token is invalid")


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """RFC 6749 §4.4: a service principal, by HTTP Basic."""

    def generate_token(self, **options: Any) -> dict[str, Any]:
        """Makes the access token, for the service principal itself."""
        self.request.user = Subject(self.request.client.client_id, group_of(self.request))
        return super().generate_token(**{**options, "user": self.request.user})  # type: ignore[no-any-return]


class TokenExchangeGrant(BaseGrant, TokenEndpointMixin):
    """RFC 8693: a foreign JWT for a token of the workspace.

    Without ``client_id`` an account-wide policy decides and the token names a member. With ``client_id`` the
    token stands for that service principal. Either way the subject token is the authentication.
    """

    GRANT_TYPE = TOKEN_EXCHANGE

    def validate_token_request(self) -> None:
        """Checks the subject token (RFC 8693 §2.1)."""
        realm: Realm = self.server.realm
        form = self.request.form
        token, client_id = form.get("subject_token"), form.get("client_id")
        if not token:
            raise InvalidRequestError("Missing 'subject_token' in request.")
        if form.get("subject_token_type") != JWT_TYPE:
            raise InvalidRequestError("Unsupported 'subject_token_type'")
        self._original = None
        if form.get("return_original_token_if_authenticated") == "true":
            found = realm.ledger.find(token, "access_token")
            if found is not None and found.is_valid():
                self._original = found
                self.request.user = found.family.subject
                return
        if client_id is not None and not realm.is_service_principal(client_id):
            raise InvalidClientError("Unknown client", status_code=401)
        try:
            subject = realm.trust.subject(token, client_id=client_id, audiences=self.server.audiences())
        except FederationRefused as refused:
            raise InvalidGrantError(str(refused)) from None
        if not realm.knows(subject):
            raise InvalidGrantError("The subject is not a member of this workspace")
        self.request.client = realm.clients.get(client_id or subject) or Client(subject, grants=())
        self.request.user = Subject(subject, group_of(self.request))
        if self.request.client.get_allowed_scope(form.get("scope")) is None:
            raise InvalidScopeError

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """Answers with a token of the workspace (RFC 8693 §2.2.1)."""
        if self._original is not None:
            answer = {
                "access_token": self._original.value,
                "token_type": "Bearer",
                "expires_in": int(self._original.expires_at - time.time()),
                "scope": self._original.scope,
            }
        else:
            answer = self.generate_token(
                user=self.request.user, scope=self.request.form.get("scope"), include_refresh_token=False
            )
            self.save_token(answer)
        answer["issued_token_type"] = ACCESS_TOKEN_TYPE
        return 200, answer, self.TOKEN_RESPONSE_HEADER


def opaque(length: int = 32) -> str:
    """A random token string."""
    return secrets.token_urlsafe(length)
