"""What an administrator registered for a portal, as the weakest layer of a configuration that names a person."""

from collections.abc import Mapping

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.layers import ARGUMENT, PROFILE, SEALED, Layers, SourcedValue
from lakekey.configuration.settings import CACHE_SETTINGS, cache_environment

_FROM_APP = (
    "client_id",
    "scopes",
    "discovery_url",
    "refresh_token_lifetime_in_minutes",
    "absolute_session_lifetime_in_minutes",
)


def fill_in(layers: Layers, environ: Mapping[str, str]) -> None:
    """Take what is not configured from the app through which a portal signs in to the host.

    Args:
        layers: What each layer says. It names a host and a ``user``.
        environ: The environment, which names the store.

    Raises:
        CacheError: There are registrations, and they cannot be opened.
    """
    with LOADING:
        from lakekey.cache.app_registrations import choose, find_app

    host = normalize_host(layers.get("host"), layers.profile, layers.source("host"))
    seen = cache_environment(environ, {name: layers.get(name) for name in CACHE_SETTINGS}, layers.sources())
    account, client = layers.get("account_id"), layers.get("client_id")
    if layers.registered is not None and seen is environ and layers.source("store") not in (ARGUMENT, PROFILE):
        app = choose(layers.registered(), host, account, client)
    else:
        app = find_app(seen, layers.get("store"), host, account, client)
    if app is None:
        return
    if app.portal:
        layers.connect_url = f"{app.portal}/#{_fragment(layers.profile or '')}".rstrip("#")
    if app.of_profile:
        return  # the profile says it all itself
    sealed = layers.layers[SEALED]
    for name in _FROM_APP:
        value = getattr(app, name)
        if value and not layers.layer(name):
            sealed[name] = SourcedValue(value, SEALED)
    if app.secret and layers.layer("client_secret") in (None, SEALED):
        sealed["client_secret"] = SourcedValue(app.secret, SEALED)
        layers.older_secret = app.older_secret or None


def _fragment(profile: str) -> str:
    """The fragment of the profile's connection on the portal's page (RFC 3986 §3.5)."""
    if profile.isascii() and profile.replace("-", "").replace("_", "").isalnum():
        return profile  # as most are; `urllib.parse` is a tenth of a cold start
    with LOADING:
        from urllib.parse import quote

    return quote(profile, safe="")
