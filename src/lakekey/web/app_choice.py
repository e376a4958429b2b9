"""Which app registration a connection is signed in through."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from lakekey.cache.app_registrations import AppRegistration, choose
from lakekey.configuration.target import Target
from lakekey.web.app_form import slug
from lakekey.web.registrations import Registrations


def app_of(
    target: Target, registrations: Registrations, url: str, apps: Sequence[AppRegistration] | None = None
) -> AppRegistration | None:
    """The app through which a target is signed in to; ``None`` if none is registered.

    A profile that names its own client is its own registration, which is kept so that other processes of the store
    find this portal's page.

    Args:
        target: What is signed in to.
        registrations: The apps of the store.
        url: The portal's own address.
        apps: The apps as they were read just now; ``None`` to read them.
    """
    apps = registrations.all() if apps is None else apps
    app = choose(apps, target.host, target.account_id, target.client_id)
    if app is not None and not app.of_profile:
        return app
    if "client_id" not in target.sources and urlsplit(url).scheme == "https":
        return None  # the platform's own client takes loopback addresses only
    name = slug(target.profile or "default")
    own = AppRegistration(
        name,
        target.client_id,
        hosts=(target.host,),
        account_id=target.account_id,
        redirect_uri=redirect_uri(url, name),
        of_profile=target.profile or "",
    )
    registrations.ensure(own, among=apps)
    return own


def redirect_uri(url: str, registration: str) -> str:
    """The redirect URI to register for an app.

    Args:
        url: The portal's own address.
        registration: The app's name.
    """
    return f"{url}/callback/{registration}"
