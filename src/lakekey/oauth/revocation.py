"""Revoking a session at the server (RFC 7009), if its metadata offers that."""

import time

from lakekey import _log
from lakekey.errors import LakekeyError
from lakekey.oauth.client import Client

_PATIENCE = 10.0

REVOKED = "revoked"
NOT_OFFERED = "not offered"
REFUSED = "refused"
FAILED = "failed"


def revoke(client: Client, token: str, *, hint: str = "refresh_token") -> str:
    """Revoke a token; with a refresh token goes the whole grant (RFC 7009 §2.1).

    Signing out must not fail because the server cannot be reached, so this raises nothing.

    Args:
        client: The client that the token was issued to.
        token: The token.
        hint: What kind it is (RFC 7009 §2.1).

    Returns:
        `REVOKED`. Otherwise the token lives until it expires: `NOT_OFFERED`, `REFUSED` by the server, or `FAILED`: the
        server could not be reached or was in trouble.
    """
    try:
        endpoint = client.discover().revocation_endpoint
        if endpoint is None:
            return NOT_OFFERED
        form = {"token": token, "token_type_hint": hint}
        answer = client.post(endpoint, form, deadline=time.monotonic() + _PATIENCE)
    except LakekeyError as error:
        _log.warning("login", "the session could not be revoked at the server: %s", error.message)
        return FAILED
    if answer.status == 200:  # also for a token that was dead already (RFC 7009 §2.2)
        return REVOKED
    _log.warning("login", "the session could not be revoked at the server: HTTP %d", answer.status)
    return FAILED if answer.status >= 500 else REFUSED
