"""Tries an app registration before the first person does: the server's metadata, the app's requests, and its secret."""

import os
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lakekey.cache.app_registrations import AppRegistration
from lakekey.configuration.target import U2M, Target, resolve
from lakekey.errors import ConfigurationError, CredentialsRefused, LakekeyError, TokenEndpointError
from lakekey.login import preflight
from lakekey.oauth import authorization_code
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import InvalidGrant
from lakekey.session.assembly import client_of
from lakekey.web.told import told

#: What the server makes of the app's secret: it takes it, takes the older one only, or does not say.
TAKEN, OLDER_TAKEN, UNTOLD = "accepted", "older-accepted", "unknown"
_PATIENCE = 20.0
_REFUSALS = frozenset({"invalid_client", "unauthorized_client"})


class Checked(NamedTuple):
    """What an authorization server takes of an app.

    Attributes:
        host: Where it was asked.
        issuer: The server's issuer.
        secret: What it makes of the secret, as above; of a public app, whether it takes that there is none.
    """

    host: str
    issuer: str
    secret: str


def targets_of(
    app: AppRegistration, profiles: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> list[Target]:
    """Where to try an app: each of its workspaces, through the profile that leads there where one does.

    Args:
        app: The registration.
        profiles: The profiles of the portal.
        environ: The environment; ``None`` for this process's.

    Raises:
        ConfigurationError: It names an account, and no profile leads to a workspace of it.
    """
    found = targets_by_profile(app, profiles, environ)
    known = {target.host for target in found}
    found += [target_of(app, None, host, environ) for host in app.hosts if host not in known]
    if not found:
        raise ConfigurationError(
            f"{app.name} names an account and no workspace to ask", hint=f"lakekey apps check {app.name} -p PROFILE"
        )
    return found


def targets_by_profile(
    app: AppRegistration, profiles: Iterable[str], environ: Mapping[str, str] | None = None
) -> list[Target]:
    """The targets of those profiles that an app serves, each workspace once."""
    found: dict[str, Target] = {}
    for profile in profiles:
        target = target_of(app, profile, None, environ)
        if _serves(app, target):
            found.setdefault(target.host, target)
    return list(found.values())


def target_of(
    app: AppRegistration, profile: str | None, host: str | None, environ: Mapping[str, str] | None = None
) -> Target:
    """What an app signs in to by a profile, or at a host."""
    return resolve(
        profile,
        os.environ if environ is None else environ,
        host=host,
        client_id=app.client_id,
        auth_type=U2M,
        user="preflight",
        scopes=app.scopes,
        discovery_url=app.discovery_url,
    )


def check(app: AppRegistration, target: Target) -> Checked:
    """Ask the authorization server whether it takes an app's sign-ins. No person is needed, and none is signed in.

    Args:
        app: The registration.
        target: Where to ask.

    Raises:
        LoginFailed: The server refuses the app's requests; the hint names the setting.
        CredentialsRefused: It refuses the app's secret, or that there is none.
        ConfigurationError: Its metadata are not as they were registered.
        TokenEndpointError: It gives no usable answer.
    """
    client = client_of(target)._replace(secret=app.secret or None, older_secret=None)
    metadata = client.discover()
    if "S256" not in (metadata.challenge_methods or ()):
        raise told(
            "e-no-s256", f"the authorization server of {target.host} does not offer the code challenge method S256",
            hint="ask its administrator", host=target.host,
        )  # fmt: skip
    if app.issuer and metadata.issuer != app.issuer:
        raise told(
            "e-issuer",
            f"the authorization server of {target.host} names the issuer {metadata.issuer}, "
            f"and {app.issuer} is registered",
            hint="ask its administrator", host=target.host, named=metadata.issuer, issuer=app.issuer,
        )  # fmt: skip
    preflight.check(target, client, authorization_code.begin(client, app.redirect_uri))
    return Checked(target.host, metadata.issuer, _secret(app, client))


def _serves(app: AppRegistration, target: Target) -> bool:
    return app.serves(target.host, target.account_id)


def _secret(app: AppRegistration, client: Client) -> str:
    refused = _refusal(app, client)
    if refused is None or not isinstance(refused, CredentialsRefused):
        return TAKEN if refused is None else UNTOLD
    if app.older_secret and _refusal(app, client._replace(secret=app.older_secret)) is None:
        return OLDER_TAKEN
    hint = f"lakekey apps rotate-secret {app.name}, or the administrator's page"
    if not app.secret:
        hint = f"the app may be confidential: give its secret by lakekey apps rotate-secret {app.name}"
    raise CredentialsRefused(refused.message, error=refused.error, hint=hint)


def _refusal(app: AppRegistration, client: Client) -> LakekeyError | None:
    """Why the server refuses the client; ``None`` if it knows it by its secret.

    It is asked to exchange a code that it never gave. RFC 6749 §5.2 has it look at the client first, so it answers
    ``invalid_client`` to a wrong secret and ``invalid_grant`` to a right one.
    """
    form = {
        "grant_type": "authorization_code",
        "code": secrets.token_urlsafe(32),
        "redirect_uri": app.redirect_uri,
        "code_verifier": secrets.token_urlsafe(48),
    }
    try:
        client.token_request(form, deadline=time.monotonic() + _PATIENCE)
    except InvalidGrant:
        return None
    except CredentialsRefused as error:
        if error.error in _REFUSALS:
            return error
        return TokenEndpointError(error.message)
    except TokenEndpointError as error:
        return error
    return TokenEndpointError("the server exchanged a code that it had not given")
