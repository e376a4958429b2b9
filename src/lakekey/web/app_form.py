"""Which form an app registration has: its name, its address, and what belongs together in it."""

import re
from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK, normalize_host
from lakekey.cache.app_registrations import AppRegistration, with_offline_access
from lakekey.errors import ConfigurationError
from lakekey.web.told import told

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def checked(app: AppRegistration) -> AppRegistration:
    """A registration in form.

    Raises:
        ConfigurationError: A field cannot be what it is.
    """
    if not _NAME.fullmatch(app.name):
        raise told(
            "e-name", f"{app.name!r} cannot be the name of an app registration, which is part of an address",
            hint="use lower-case letters, digits and hyphens", name=app.name,
        )  # fmt: skip
    if not app.client_id.strip() or not app.client_id.isprintable():
        raise told("e-client", "the client id is empty or unprintable", hint="give the client id of the app")
    if not app.hosts and not app.account_id:
        raise told(
            "e-workspace", "no workspace and no account is named", hint="give a workspace's host, or an account id"
        )
    if app.redirect_uri:
        check_public_address(app.redirect_uri, "the redirect URI")
    hosts = tuple(normalize_host(host) for host in app.hosts)
    # What is left empty is not there: two apps of no account have none in common.
    return app._replace(
        hosts=hosts,
        scopes=with_offline_access(app.scopes),
        account_id=app.account_id or None,
        issuer=app.issuer or None,
        discovery_url=app.discovery_url or None,
    )


def same_name(name: str, one: str, other: str) -> ConfigurationError:
    """Two profiles would share a callback, and an answer of one server could pass for the other's (RFC 9700 §4.4)."""
    return ConfigurationError(
        f"the profiles {one!r} and {other!r} both make the app registration {name}",
        hint=f"rename one of them; if {one!r} is gone: lakekey apps remove {name}",
        profile=other,
    )


def slug(name: str) -> str:
    """The name of the registration that a profile makes, which stands in an address whatever the profile is called."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63] or "default"


def check_public_address(address: str, what: str) -> str:
    """An address that browsers may bring a code to: ``https``, or loopback (RFC 9700 §2.6, RFC 8252 §7.3).

    Returns:
        The address.

    Raises:
        ConfigurationError: It is not such an address.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    plain = parts.hostname and not (parts.query or parts.fragment or parts.username) and address.isascii()
    if not (secure and plain and address.isprintable() and " " not in address):
        shown = "" if parts.username else f" {address!r}"
        raise told(
            "e-address", f"{what}{shown} is not an address that sign-ins can come back to",
            hint="use https://…, without a query; http only on localhost", address=shown.strip(" '") or what,
        )  # fmt: skip
    return address
