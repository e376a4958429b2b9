"""Who signed in: as the server says, not as the configuration hopes."""

import base64
import binascii
import json
import time
from typing import Any

from lakekey.errors import TokenEndpointError
from lakekey.oauth.token_response import TokenResponse
from lakekey.oauth.transport import Transport

_CLAIMS = ("email", "preferred_username", "upn", "sub")
_PATIENCE = 10.0


def identify(transport: Transport, host: str, response: TokenResponse) -> str | None:
    """The user name or mail address behind new tokens, or ``None`` where the server does not tell.

    The claims of a token that came straight from the token endpoint over TLS need no signature check (OpenID Connect
    Core §3.1.3.7); nobody but the person is shown them, and a wrong ``sub`` could only refuse a login.

    Args:
        transport: HTTP.
        host: The workspace or account host.
        response: The new tokens.
    """
    for token in (response.id_token, response.access_token):
        claims = _claims(token)
        for name in _CLAIMS:
            value = claims.get(name)
            if isinstance(value, str) and ("@" in value or (name == "sub" and token is response.id_token)):
                return value
    return _scim_me(transport, host, response.access_token)


def _scim_me(transport: Transport, host: str, access_token: str) -> str | None:
    try:
        answer = transport.get(
            f"{host}/api/2.0/preview/scim/v2/Me",
            headers={"Authorization": f"Bearer {access_token}", "Accept": "application/scim+json, application/json"},
            deadline=time.monotonic() + _PATIENCE,
        )
    except TokenEndpointError:
        return None  # a sign-in is not lost because a courtesy failed
    fields = answer.json_object() if answer.status == 200 else None
    name = fields.get("userName") if fields else None
    return name if isinstance(name, str) and name else None


def _claims(token: str | None) -> dict[str, Any]:
    parts = (token or "").split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
