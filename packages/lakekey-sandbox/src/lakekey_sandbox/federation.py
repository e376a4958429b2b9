"""Federation policies: which foreign tokens the sandbox exchanges for its own (RFC 8693)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

#: The signature algorithms that Databricks accepts from an identity provider.
ALGORITHMS = ("RS256", "ES256")


class FederationRefused(Exception):
    """No policy accepts the token; the message says why and holds nothing of the token."""


@dataclass(frozen=True)
class FederationPolicy:
    """One trusted issuer.

    Attributes:
        issuer: The ``iss`` that tokens must carry.
        keys: The issuer's public keys.
        audiences: The audiences of which a token must name one; empty for the sandbox's own.
        client_id: The service principal that tokens stand for (workload identity federation), or ``None``
            for an account-wide policy, whose tokens name a member in ``subject_claim``.
        subject: The subject that a token must have; ``None`` accepts each.
        subject_claim: The claim that names the subject.
    """

    issuer: str
    keys: KeySet = field(repr=False)
    audiences: tuple[str, ...] = ()
    client_id: str | None = None
    subject: str | None = None
    subject_claim: str = "sub"


def public_keys(*, jwks: Mapping[str, Any] | None, public_key: str | bytes | None) -> KeySet:
    """The key set of an issuer, from a JWKS document or one PEM public key."""
    if (jwks is None) == (public_key is None):
        raise ValueError("give either jwks or public_key")
    if jwks is not None:
        return KeySet.import_key_set({"keys": list(jwks["keys"])})
    assert public_key is not None
    pem = public_key.encode() if isinstance(public_key, str) else public_key
    return KeySet([_imported(pem)])


def _imported(pem: bytes) -> ECKey | RSAKey:
    """The key of a PEM file; only kinds that the allowed algorithms use."""
    key = load_pem_public_key(pem)
    if isinstance(key, EllipticCurvePublicKey):
        return ECKey.import_key(pem)
    if isinstance(key, RSAPublicKey):
        return RSAKey.import_key(pem)
    raise ValueError("the public key is neither RSA nor elliptic-curve")


class Trust:
    """All federation policies of the sandbox."""

    def __init__(self) -> None:
        self._policies: list[FederationPolicy] = []

    def add(self, policy: FederationPolicy) -> None:
        """Adds a policy."""
        self._policies.append(policy)

    def subject(self, token: str, *, client_id: str | None, audiences: tuple[str, ...]) -> str:
        """Who a foreign token stands for.

        Args:
            token: The subject token, a JWT.
            client_id: The service principal that the request names, or ``None``.
            audiences: The audiences that name the sandbox, for policies without their own.

        Returns:
            The name of a user or the application id of a service principal.

        Raises:
            FederationRefused: No policy accepts the token.
        """
        candidates = [policy for policy in self._policies if policy.client_id == client_id]
        if not candidates:
            raise FederationRefused("No federation policy exists for this client")
        reasons = []
        for policy in candidates:
            try:
                return _accept(policy, token, policy.audiences or audiences)
            except FederationRefused as refused:
                reasons.append(str(refused))
        raise FederationRefused(reasons[-1])


def _accept(policy: FederationPolicy, token: str, audiences: tuple[str, ...]) -> str:
    try:
        claims = jwt.decode(token, policy.keys, list(ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": policy.issuer},
            aud={"essential": True, "values": list(audiences)},
            exp={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError) as error:
        # The class says enough (bad signature, expired, wrong audience); the text may quote the token.
        raise FederationRefused(f"The subject token was refused: {type(error).__name__}") from None
    subject = claims.get(policy.subject_claim)
    if not isinstance(subject, str) or not subject:
        raise FederationRefused(f"The subject token has no claim {policy.subject_claim}")
    if policy.subject is not None and not hmac.compare_digest(policy.subject, subject):
        raise FederationRefused("The subject token is for another subject")
    return policy.client_id or subject
