"""What a test does to a sandbox that runs: looks at what happened, registers, revokes, sets faults."""

from collections.abc import Iterable, Mapping
from typing import Any

from lakekey_sandbox.clients import SCOPES, Client
from lakekey_sandbox.faults import Body, Fault, Faults
from lakekey_sandbox.federation import FederationPolicy, public_keys
from lakekey_sandbox.realm import Realm, Settings
from lakekey_sandbox.records import Record, RequestLog
from lakekey_sandbox.sql import LazyWarehouse


class Controls:
    """The part of ``Sandbox`` that looks at and changes a running workspace."""

    _realm: Realm
    _settings: Settings
    _warehouse: LazyWarehouse

    def __init__(self) -> None:
        self._log = RequestLog()
        self._faults = Faults()
        self._statements_before = 0

    @property
    def log(self) -> list[Record]:
        """The requests so far, oldest first; a copy."""
        return self._log.records()

    @property
    def counters(self) -> dict[str, int]:
        """What happened since the start or ``reset_log``.

        ``token.authorization_code``, ``token.refresh_token``, ``token.client_credentials`` and
        ``token.token_exchange`` count token responses; ``token.requests`` all requests to the token endpoint,
        failed ones too; ``refusals`` the token requests answered with an OAuth error, and ``reuses`` those
        among them that came with a spent refresh token; ``logins`` and
        ``cancellations`` what people did at the sign-in page; ``unauthorized`` the other requests answered
        with 401 or 403; ``statements`` the SQL statements.
        """
        return {**self._log.counters(), "statements": self._warehouse.statements - self._statements_before}

    def reset_log(self) -> None:
        """Empties the log and sets the counters to zero."""
        self._log.clear()
        self._statements_before = self._warehouse.statements

    def stored_refresh_tokens(self, subject: str) -> list[str]:
        """The refresh tokens of a user that the sandbox would accept now."""
        return self._realm.ledger.refresh_tokens(subject)

    def register_client(
        self,
        client_id: str,
        *,
        client_secret: str | None = None,
        redirect_uris: Iterable[str] = (),
        scopes: Iterable[str] = SCOPES,
        grants: Iterable[str] | None = None,
        name: str = "",
    ) -> Client:
        """Registers a client: a custom application, or another service principal.

        Args:
            client_id: Its identifier.
            client_secret: Its secret; a client without one is public.
            redirect_uris: Its redirect URIs; loopback ones match with any port (RFC 8252 §7.3).
            scopes: What it may ask for.
            grants: Its grant types; where ``None``, the authorization code and refresh with redirect URIs, and
                client credentials with a secret.
            name: What the sign-in page calls it.

        Returns:
            The client.
        """
        uris = tuple(redirect_uris)
        if grants is None:
            grants = ("authorization_code", "refresh_token") if uris else ()
            grants += ("client_credentials",) if client_secret is not None else ()
        client = Client(client_id, client_secret, uris, tuple(scopes), tuple(grants), name)
        return self._realm.clients.add(client)

    def trust_issuer(
        self,
        issuer: str,
        *,
        jwks: Mapping[str, Any] | None = None,
        public_key: str | bytes | None = None,
        audiences: Iterable[str] = (),
        client_id: str | None = None,
        subject: str | None = None,
        subject_claim: str = "sub",
    ) -> None:
        """Adds a federation policy: tokens of this issuer can be exchanged (RFC 8693).

        Args:
            issuer: The ``iss`` of the tokens.
            jwks: The issuer's keys, as a JWKS document; or
            public_key: its one public key, PEM.
            audiences: Audiences to accept; the account id and the token endpoint where empty.
            client_id: The service principal that tokens stand for; ``None`` for an account-wide policy, whose
                tokens name a user.
            subject: The only subject to accept; ``None`` accepts each.
            subject_claim: The claim that names the subject.
        """
        keys = public_keys(jwks=jwks, public_key=public_key)
        self._realm.trust.add(FederationPolicy(issuer, keys, tuple(audiences), client_id, subject, subject_claim))

    def set_lifetime(self, seconds: int) -> None:
        """Sets the lifetime of the access tokens issued from now on."""
        self._settings.token_lifetime = seconds

    def revoke(self, subject: str | None = None, *, token: str | None = None) -> int:
        """Revokes the access and refresh tokens of a user, one token, or all.

        A refresh token takes all tokens of its sign-in with it (RFC 7009 §2.1).

        Returns:
            How many usable tokens that ended.
        """
        return self._realm.ledger.revoke(subject=subject, token=token)

    def expire(self, subject: str | None = None, *, token: str | None = None) -> int:
        """Makes the access tokens of a user, one token (also a refresh token), or all access tokens expire now.

        Returns:
            How many usable tokens that were.
        """
        return self._realm.ledger.expire(subject=subject, token=token)

    def fault(
        self,
        route: str,
        *,
        times: int | None = 1,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str | None = None,
        delay: float = 0,
        hang: bool = False,
        drop: bool = False,
        drop_after: bool = False,
    ) -> None:
        """Makes the next requests of a route go wrong. Several faults take their turns.

        Args:
            route: ``token``, ``authorize``, ``discovery``, ``config``, ``userinfo``, ``revoke``, ``jwks``,
                ``sql``, ``scim``, ``clusters``, ``jobs``, ``feature-flags``, ``telemetry`` or ``other``.
            times: For how many requests; ``None`` for all until ``clear_faults``.
            status: Answer with this status in the route's place.
            headers: Headers to add. A ``Content-Length`` beyond the body makes a truncated answer.
            body: Answer with this body; a mapping becomes JSON.
            content_type: The body's type, where not JSON for a mapping and HTML for text.
            delay: Seconds to wait before anything else.
            hang: Never answer; the connection closes with ``clear_faults`` or ``stop``.
            drop: Close the connection before the request is processed.
            drop_after: Process the request, then close the connection without an answer.
        """
        self._faults.add(
            Fault(
                route,
                times,
                status,
                headers or {},
                body,
                content_type,
                delay,
                hang,
                drop,
                drop_after,
            )
        )

    @property
    def faults_left(self) -> int:
        """How many faults no request has used up yet; one is used up when its last request arrives."""
        return self._faults.left

    def clear_faults(self) -> None:
        """Forgets all faults and lets go of the requests that one of them holds."""
        self._faults.clear()
