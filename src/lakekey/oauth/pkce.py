"""Proof Key for Code Exchange (RFC 7636), S256 only, and the state parameter."""

import base64
import hashlib
import secrets
from typing import NamedTuple


class Pkce(NamedTuple):
    """A code verifier and its challenge.

    Attributes:
        verifier: 43 random characters (RFC 7636 §4.1); a secret until it is spent.
        challenge: The S256 challenge (RFC 7636 §4.2).
    """

    verifier: str
    challenge: str

    def __repr__(self) -> str:
        return f"Pkce(challenge={self.challenge})"


def new_pkce() -> Pkce:
    """A new pair: 256 bits, as RFC 7636 §7.1 recommends."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return Pkce(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def new_state() -> str:
    """A new ``state``: binds the answer to this request (RFC 6749 §10.12)."""
    return secrets.token_urlsafe(32)
