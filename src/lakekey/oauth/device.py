"""The device authorization grant (RFC 8628): used only where the server's metadata offers it."""

import time
from typing import NamedTuple

from lakekey.errors import LoginDenied, LoginFailed, TokenEndpointError
from lakekey.oauth import deadlines
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import InvalidGrant, TokenResponse, parse

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0  # RFC 8628 §3.2: where the server names none
_LONGEST_INTERVAL = 60.0


class DeviceCode(NamedTuple):
    """A sign-in that waits for a person at another device.

    Attributes:
        device_code: What is exchanged; a secret.
        user_code: What the person types.
        verification_uri: Where.
        interval: Seconds between two questions.
        deadline: When it expires, by `time.monotonic`.
    """

    device_code: str
    user_code: str
    verification_uri: str
    interval: float
    deadline: float

    def __repr__(self) -> str:
        return f"DeviceCode({self.verification_uri})"


def begin(client: Client) -> DeviceCode:
    """Ask for a code (RFC 8628 §3.1).

    Raises:
        TokenEndpointError: No usable answer came.
        CredentialsRefused: The client may not use this grant.
    """
    endpoint = client.discover().device_authorization_endpoint
    assert endpoint is not None
    now = time.monotonic()
    answer = client.post(endpoint, {"scope": " ".join(client.scopes), **client.extras()}, deadline=now + 30)
    fields = answer.json_object()
    if answer.status != 200 or fields is None:
        parse(answer, hidden=(client.secret,))
        raise TokenEndpointError("the server gave no device code", status=answer.status)
    found = [fields.get(name) for name in ("device_code", "user_code", "verification_uri")]
    # Sent on, or shown to a person on a terminal: nothing but what can be read belongs there.
    texts = [text if isinstance(text, str) and text.isprintable() else "" for text in found]
    device_code, user_code, address = texts
    if not (device_code and user_code and address.startswith("https://")):
        raise TokenEndpointError("the server's device code is malformed", status=answer.status)
    return DeviceCode(
        device_code, user_code, address, _seconds(fields.get("interval"), _INTERVAL, _LONGEST_INTERVAL),
        now + _seconds(fields.get("expires_in"), 300.0, 3600.0),
    )  # fmt: skip


def poll(client: Client, code: DeviceCode, commitment: deadlines.Commitment, deadline: float) -> TokenResponse | None:
    """Ask until the person is done (RFC 8628 §3.4 and §3.5).

    Returns:
        The tokens, or ``None`` when the time is over.

    Raises:
        LoginDenied: The person said no.
        LoginFailed: The code expired.
        CredentialsRefused, TokenEndpointError: See `token_response.parse`.
    """
    interval = code.interval
    form = {"grant_type": GRANT, "device_code": code.device_code}
    endpoint = client.discover().token_endpoint
    while time.monotonic() + interval < deadline:
        commitment.pause(interval)
        try:
            with deadlines.committing(commitment):
                answer = client.post(endpoint, form, deadline=time.monotonic() + 30)
            error = (answer.json_object() or {}).get("error")
            if error not in ("authorization_pending", "slow_down", "access_denied", "expired_token"):
                return parse(answer, hidden=(client.secret, code.device_code)).checked()
        except TokenEndpointError as trouble:
            if not trouble.retryable:
                raise
            # The person is still on the way: a blip must not cost the code. RFC 8628 §3.5: ask less often then.
            interval = min(max(2 * interval, trouble.retry_after or 0.0), _LONGEST_INTERVAL)
        except InvalidGrant as refusal:
            refused = refusal.description
            break
        else:
            if error == "access_denied":
                raise LoginDenied("the sign-in was declined", hint="sign in again, and agree to the request")
            if error == "expired_token":
                raise LoginFailed("the code expired before it was entered", hint="sign in again")
            interval += 5.0 if error == "slow_down" else 0.0
        commitment.settled()
    else:
        return None
    raise LoginFailed(f"the server did not accept the device code ({refused})", hint="sign in again")


def _seconds(value: object, default: float, longest: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return min(float(value), longest) if good else default  # type: ignore[arg-type]
