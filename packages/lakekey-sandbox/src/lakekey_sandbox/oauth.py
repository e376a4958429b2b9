"""The authorization server: Authlib's, with the sandbox's tokens, clients and grants."""
# Authlib carries no types: its classes are Any to mypy.
# mypy: disable-error-code="misc"

import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer as FlaskAuthorizationServer
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidScopeError, OAuth2Request
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Response

from lakekey_sandbox.clients import SCOPES, Client
from lakekey_sandbox.grants import (
    CLIENT_METHODS,
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    IdToken,
    RefreshTokenGrant,
    S256Only,
    TokenExchangeGrant,
    issuer,
    opaque,
)
from lakekey_sandbox.ledger import Kind, Subject, Token
from lakekey_sandbox.realm import Realm
from lakekey_sandbox.records import note


class AuthorizationServer(FlaskAuthorizationServer):
    """Authorizes clients and issues tokens.

    Args:
        realm: The sandbox's state.
    """

    def __init__(self, realm: Realm) -> None:
        super().__init__(query_client=realm.clients.get, save_token=self._save)
        self.realm = realm
        self.scopes_supported = SCOPES
        self.register_token_generator("default", self._generate)
        self.register_grant(AuthorizationCodeGrant, [S256Only(required=True), IdToken(realm)])
        self.register_grant(RefreshTokenGrant)
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(TokenExchangeGrant)
        self.register_endpoint(Revocation)

    def authenticate_client(self, request: OAuth2Request, methods: list[str], endpoint: str = "token") -> Client:
        """The client that sends a request.

        Raises:
            InvalidClientError: Always with 401 and in the same words, so that the answer does not tell
                unknown clients from wrong secrets.
        """
        try:
            client: Client = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError:
            raise InvalidClientError("Client authentication failed", status_code=401) from None
        note(client_id=client.client_id)
        return client

    def audiences(self) -> tuple[str, ...]:
        """The audiences that foreign tokens may name the workspace by."""
        return self.realm.account_id, f"{self.realm.host}/oidc/v1/token"

    def handle_error_response(self, request: OAuth2Request, error: Any) -> Response:
        """Answers an error, and notes its code in the request log."""
        note(error=error.error)
        return super().handle_error_response(request, error)  # type: ignore[no-any-return]

    def _generate(
        self,
        *,
        client: Client,
        user: Subject,
        scope: str | None = None,
        include_refresh_token: bool = True,
        **_: Any,
    ) -> dict[str, Any]:
        granted = client.get_allowed_scope(scope)
        if granted is None:
            raise InvalidScopeError
        answer: dict[str, Any] = {
            "access_token": self._access_token(client, user, granted),
            "token_type": "Bearer",
            "expires_in": self.realm.settings.token_lifetime,
            "scope": granted,
        }
        if include_refresh_token:
            answer["refresh_token"] = opaque()
        return answer

    def _access_token(self, client: Client, subject: Subject, scope: str) -> str:
        note(subject=subject.name)
        if self.realm.settings.opaque_tokens:
            return opaque()
        issued = int(time.time())
        claims: dict[str, Any] = {
            "iss": issuer(),
            "sub": subject.name,
            "client_id": client.client_id,
            "scope": scope,
            "aud": self.realm.workspace_id,
            "iat": issued,
            "exp": issued + self.realm.settings.token_lifetime,
            "jti": opaque(12),
        }
        if subject.group is not None:
            claims["group_id"] = subject.group
        return self.realm.sign(claims, type_="at+jwt")

    def _save(self, answer: dict[str, Any], request: OAuth2Request) -> None:
        tokens = self.realm.issued(answer, request.user, request.client.client_id, None)
        self.realm.ledger.record(tokens)


class Revocation(RevocationEndpoint):
    """RFC 7009."""

    CLIENT_AUTH_METHODS = CLIENT_METHODS

    def query_token(self, token_string: str, token_type_hint: Kind | None) -> Token | None:  # noqa: ARG002
        """The token; a wrong hint does not hide it (RFC 7009 §2.1)."""
        return self.server.realm.ledger.find(token_string)  # type: ignore[no-any-return]

    def revoke_token(self, token: Token, request: OAuth2Request) -> None:  # noqa: ARG002
        """Revokes the token, and with a refresh token its whole family."""
        self.server.realm.ledger.revoke(token=token.value)


class Issuer(IssuerParameter):
    """RFC 9207: every authorization response, also a refusal, says who it comes from."""

    def get_issuer(self) -> str:
        """The issuer of the request in progress."""
        return issuer()
