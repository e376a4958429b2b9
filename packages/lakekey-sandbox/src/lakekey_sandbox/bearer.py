"""Who an API request speaks for (RFC 6750), and how the service words a refusal."""

from typing import NoReturn

from flask import Response, abort, jsonify, request

from lakekey_sandbox.ledger import Subject
from lakekey_sandbox.realm import Realm
from lakekey_sandbox.records import note

_MISSING = (
    "Credential was not sent or was of an unsupported type for this API. "
    "Send a bearer token in the Authorization header."
)


class Bearer:
    """Checks the bearer token of the request in progress.

    Args:
        realm: The sandbox's state.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def subject(self, *scopes: str) -> Subject:
        """Who the request speaks for; a refusal ends the request.

        Args:
            scopes: Scopes of which the token must have one; none means that any token will do.
        """
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            # RFC 6750 §3.1: without credentials, no error code in the challenge.
            _refuse(401, _MISSING, None)
        token = self._realm.ledger.find(value.strip(), "access_token")
        if token is None or token.is_revoked():
            _refuse(401, "Invalid access token.", "invalid_token")
        note(subject=token.family.subject.name, client_id=token.family.client_id)
        if token.is_expired():
            _refuse(self._realm.settings.expired_status, "Token is expired.", "invalid_token")
        if scopes and not set(scopes) & set(token.scope.split()):
            wanted = " ".join(scopes)
            _refuse(403, f"Provided OAuth token does not have required scopes: {wanted}", "insufficient_scope")
        return token.family.subject


def api_error(status: int, code: str | int, message: str) -> Response:
    """An API error in Databricks' shape.

    Args:
        status: The HTTP status.
        code: The error code.
        message: What is wrong.
    """
    response = jsonify(error_code=code, message=message)
    response.status_code = status
    # The SQL connectors take their message from these.
    response.headers["X-Thriftserver-Error-Message"] = message
    response.headers["X-Databricks-Reason-Phrase"] = message
    return response


def _refuse(status: int, message: str, error: str | None) -> NoReturn:
    response = api_error(status, status, message)
    challenge = 'Bearer realm="DatabricksRealm"'
    if error is not None:
        challenge += f', error="{error}", error_description="{message}"'
    response.headers["WWW-Authenticate"] = challenge
    abort(response)
