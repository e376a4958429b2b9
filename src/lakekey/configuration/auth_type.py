"""Which grant a configuration means: a person's, a service principal's, a federated one, or the SDK's own strategy.

``auth_type`` decides where it is named. Otherwise a client id with its secret means a service principal, a token of an
identity provider that is really here means federation, another identity that the SDK would use unasked means that one
(`lakekey.configuration.sdk_identities`), and everything else means a person.
"""

from __future__ import annotations

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.layers import ARGUMENT, ENVIRONMENT, PROFILE, SEALED, Layers, SourcedValue
from lakekey.configuration.settings import (
    CACHE_SETTINGS,
    CHOSEN_BY_SETTING,
    DELEGATED,
    FEDERATED,
    M2M,
    SETTINGS,
    U2M,
    cache_environment,
)
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# An argument that only one way of signing in takes, and which.
_CHOSEN_BY = {
    "client_secret": M2M,
    "oidc_token_env": "env-oidc",
    "oidc_token_filepath": "file-oidc",
    "token": "pat",
    "password": "basic",
    "metadata_service_url": "metadata-service",
    "azure_client_secret": "azure-client-secret",
    "google_credentials": "google-credentials",
    "google_service_account": "google-id",
}
# A variable that decides by itself, in the order in which it would.
_DECISIVE = ("auth_type", "client_id", "client_secret", "oidc_token_env", "oidc_token_filepath")
# Without any of these there is no identity token to look for.
_OIDC_SETTINGS = ("oidc_token_env", "oidc_token_filepath")
_OIDC_VARIABLES = ("DATABRICKS_OIDC_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_ACCESSTOKEN")
# Without any of these there is no identity that the SDK would use unasked.
_SDK_SETTINGS = (*CHOSEN_BY_SETTING.values(), "azure_use_msi")
_SDK_VARIABLES = (
    "DATABRICKS_RUNTIME_VERSION", "IS_IN_DB_MODEL_SERVING_ENV", "IS_IN_DATABRICKS_MODEL_SERVING_ENV",
)  # fmt: skip
# The setting that chose a grant that is not named.
_CREDENTIALS = {M2M: "client_secret", **CHOSEN_BY_SETTING}
# An argument that is for signing a person in.
_FOR_PEOPLE = ("user", "client_id", "redirect_url", "redirect_port", "redirect_ports", "authorize_extras")
# The strategies of the SDK that may know the host themselves.
_HOST_FINDERS = ("runtime", "runtime-oauth", "model-serving")


def select(layers: Layers, environ: Mapping[str, str]) -> str:
    """Select the grant, and ignore what speaks for another.

    Args:
        layers: What each layer says; what does not count is taken out of it.
        environ: The environment, in which a token of an identity provider may be.

    Returns:
        The SDK's name of the grant.

    Raises:
        ConfigurationError: Settings contradict each other, or name a grant that does not exist.
    """
    grant = _chosen(layers, environ)
    if grant in _HOST_FINDERS:
        with LOADING:
            from lakekey.configuration.sdk_identities import find_host

        find_host(layers, grant, environ)
    _refuse_a_user_it_does_not_sign_in(layers, grant)
    if grant == U2M and layers.layer("user") and layers.layer("host"):
        with LOADING:
            from lakekey.configuration.registered_app import fill_in

        fill_in(layers, environ)  # one person of many, who signs in at a portal
    return grant


def _chosen(layers: Layers, environ: Mapping[str, str]) -> str:
    argued = _by_arguments(layers)
    named = argued or layers.get("auth_type")
    if named is not None and named not in (U2M, M2M, *FEDERATED, *DELEGATED):
        with LOADING:
            from lakekey.configuration.suggestion import nearest

        near = nearest(str(named), (U2M, M2M, *FEDERATED, *DELEGATED))
        raise ConfigurationError(
            f"auth_type {named!r} ({layers.source('auth_type')}) is not supported",
            hint=(f"did you mean {near}? " if near else "")
            + f"set it to {U2M}, {M2M}, {', '.join(FEDERATED)}, or one of the SDK's: {', '.join(DELEGATED)}",
            profile=layers.profile,
        )
    if named == U2M:
        _keep_only_an_app_for_people(layers)
    _keep_secret_and_client_together(layers)
    if named in (None, U2M, M2M) and layers.layer("client_id") and not layers.layer("client_secret"):
        _find_sealed_secret(layers, environ)
    if named is not None:
        return str(named)
    if layers.layer("client_secret"):
        if layers.layer("client_id"):
            return M2M
        raise ConfigurationError(
            f"client_secret ({layers.source('client_secret')}) has no client_id beside it",
            hint="set client_id in the profile, or DATABRICKS_CLIENT_ID",
            profile=layers.profile,
        )
    return _by_identity_token(layers, environ) or _by_sdk_identity(layers, environ) or U2M


def _by_identity_token(layers: Layers, environ: Mapping[str, str]) -> str | None:
    if not any(layers.layer(name) for name in _OIDC_SETTINGS) and not any(name in environ for name in _OIDC_VARIABLES):
        return None  # the usual case, in which nothing more is imported
    with LOADING:
        from lakekey.workload_identity import detect

    return detect(
        environ,
        variable=layers.get("oidc_token_env"),
        path=layers.get("oidc_token_filepath"),
        has_client=bool(layers.layer("client_id")),
    )


def _by_sdk_identity(layers: Layers, environ: Mapping[str, str]) -> str | None:
    for_people = next((name for name in _FOR_PEOPLE if layers.has(ARGUMENT, name)), None)
    if for_people is not None:
        for name in _SDK_SETTINGS:
            layers.ignore(ENVIRONMENT, name, f"the argument {for_people} says that a person signs in")
    # Where the profile says who signs in, the place that the program runs at does not.
    ambient = for_people is None and not layers.layer("user")
    around = ambient and any(name in environ for name in _SDK_VARIABLES)
    if not around and not any(layers.layer(name) for name in _SDK_SETTINGS):
        return None  # the usual case, in which nothing more is imported
    with LOADING:
        from lakekey.configuration.sdk_identities import detect

    return detect(layers, environ, ambient=ambient)


def _by_arguments(layers: Layers) -> str | None:
    """What the caller chose without naming it; ambient variables for the same choice are ignored."""
    given = layers.layers[ARGUMENT]
    if "auth_type" in given:
        return None
    chosen = {_CHOSEN_BY[name]: name for name in _CHOSEN_BY if name in given}
    _refuse_two_identities(layers, chosen)
    if chosen:
        ((grant, name),) = chosen.items()
        layers.ignore(ENVIRONMENT, "auth_type", f"the argument {name} decides")
        if grant != M2M:
            return grant
        if "client_id" in given:
            layers.ignore(PROFILE, "auth_type", "the arguments client_id and client_secret decide")
        # A secret alone may be that of the profile's confidential app for people.
        return None
    if "user" in given:
        for name in _DECISIVE:
            if name != "client_id" or layers.has(ENVIRONMENT, "client_secret"):
                layers.ignore(ENVIRONMENT, name, "the argument user says that a person signs in")
        others = (*_DECISIVE, *_SDK_SETTINGS)
        if not any(layers.has(PROFILE, name) for name in others if name != "client_id"):
            return U2M
    return None


def _refuse_two_identities(layers: Layers, chosen: Mapping[str, str]) -> None:
    names = sorted(chosen.values())
    if names and layers.has(ARGUMENT, "user") and layers.get("auth_type") != U2M:
        names.append("user")
    if len(names) > 1:
        raise ConfigurationError(
            f"{' and '.join(names)} are both given, and a connection has one identity",
            hint="give one of them, or set auth_type",
            profile=layers.profile,
        )


def _refuse_a_user_it_does_not_sign_in(layers: Layers, grant: str) -> None:
    """A caller who names a person is never signed in as a service principal instead.

    A profile's ``user`` gives way where something stronger chose: a variable's or an argument's secret, ``auth_type``.
    """
    home = layers.layer("user")
    if grant == U2M or home is None:
        return
    order = list(layers.layers)
    credential = _CREDENTIALS.get(grant)
    place = layers.layer(credential) if credential else None
    beaten = layers.layer("auth_type") or credential is None or place is None or order.index(place) < order.index(home)
    if home == ARGUMENT or not beaten:
        raise no_person(layers.get("user"), layers.source("user"), grant, layers.profile)


def no_person(user: str, source: str, grant: str, profile: str | None) -> ConfigurationError:
    """The error that ``user`` is set where no person signs in.

    Args:
        user: Who is to sign in.
        source: Where that was said.
        grant: The SDK's name of the grant that was chosen.
        profile: The profile, for the error.
    """
    return ConfigurationError(
        f"user ({source}) says that {user} signs in, and {grant} signs no person in",
        hint=f"set auth_type = {U2M} to sign {user} in, or remove user",
        profile=profile,
    )


def _keep_only_an_app_for_people(layers: Layers) -> None:
    """With U2M, a service principal's id and secret are not an OAuth app for people.

    A confidential app's are one, and then stand where its ``auth_type`` stands.
    """
    home = layers.layer("auth_type")
    for layer in (ENVIRONMENT, PROFILE):
        if layer != home and layers.has(layer, "client_secret"):
            why = f"auth_type ({layers.source('auth_type') or 'argument'}) says that a person signs in"
            layers.ignore(layer, "client_secret", why)
            layers.ignore(layer, "client_id", why)


def _keep_secret_and_client_together(layers: Layers) -> None:
    """A secret that stands beside another client's id is never sent for this one."""
    client, secret = layers.layer("client_id"), layers.layer("client_secret")
    if client is None or secret is None or client == secret or not layers.has(secret, "client_id"):
        return
    order = list(layers.layers)
    if order.index(client) < order.index(secret):
        beside = layers.layers[secret]["client_id"]
        if str(beside.value).strip() != str(layers.raw("client_id")).strip():
            layers.ignore(
                secret,
                "client_secret",
                f"it stands beside another client_id ({beside.source}) than the one in force "
                f"({layers.source('client_id')})",
            )
            _keep_secret_and_client_together(layers)


def _find_sealed_secret(layers: Layers, environ: Mapping[str, str]) -> None:
    """A client without a secret in clear may have one sealed in the cache (``lakekey secret set``)."""
    if not layers.layer("host"):
        return
    with LOADING:
        from lakekey.cache.client_secrets import find_secret

    host = normalize_host(layers.get("host"), layers.profile, layers.source("host"))
    seen = cache_environment(environ, {name: layers.get(name) for name in CACHE_SETTINGS}, layers.sources())
    secret = find_secret(seen, layers.get("store"), host, layers.get("account_id"), layers.get("client_id"))
    if secret:
        layers.layers[SEALED]["client_secret"] = SourcedValue(secret, SEALED)


def conflicts(layers: Layers, auth_type: str) -> list[str]:
    """What is configured for another grant than the chosen one, in words: for a person who looks for a fault."""
    found = []
    if layers.layer("user") and auth_type != U2M:
        found.append(f"user ({layers.source('user')}) is not used with {auth_type}")
    for name, setting in SETTINGS.items():
        source = layers.source(name)
        if not source or not setting.method or auth_type.startswith(setting.method):
            continue
        if setting.method != "oauth":
            found.append(f"{name} ({source}) is for {setting.method}, and is not used with {auth_type}")
        elif auth_type in DELEGATED or (auth_type in FEDERATED and setting.secret):
            found.append(f"{name} ({source}) is not used with {auth_type}")
    found += [f"{name} ({source}) does not count: {why}" for (name, source), why in layers.ignored.items()]
    return found
