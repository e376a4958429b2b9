"""What may change of an app registration while people are connected through it, and which connections that ends.

A connection is known by its workspace, client, scopes and metadata. What is none of these changes at any time; what
leads to another connection ends the one that there is; and refresh tokens stay with the server and the client that they
are of.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.entry import Entry
from lakekey.errors import ConfigurationError
from lakekey.web.told import told

#: What can be changed. The client id cannot: another client is another app.
FIELDS = (
    "name", "hosts", "account_id", "scopes", "refresh_token_lifetime_in_minutes",
    "absolute_session_lifetime_in_minutes", "redirect_uri", "issuer", "discovery_url",
)  # fmt: skip
#: What is of the authorization server, whose refresh tokens no other one takes.
_OF_THE_SERVER = ("issuer", "discovery_url")


def changed(app: AppRegistration, fields: Mapping[str, Any]) -> AppRegistration:
    """The app with other fields; its redirect URI follows its name.

    Raises:
        ConfigurationError: It is made from a profile, which it follows; or a field cannot be changed.
    """
    if app.of_profile:
        raise told(
            "e-of-profile", f"{app.name} is made from the profile {app.of_profile}, and follows it",
            hint=f"change the profile {app.of_profile}", profile=app.of_profile, app=app.name, of=app.of_profile,
        )  # fmt: skip
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise ConfigurationError(
            f"{unknown[0]} of an app registration cannot be changed", hint="register another app: lakekey apps add"
        )
    after = app._replace(**fields)
    if "redirect_uri" not in fields and after.name != app.name and app.portal:
        after = after._replace(redirect_uri=f"{app.portal}/callback/{after.name}")
    return after


def names(before: AppRegistration, after: AppRegistration) -> list[str]:
    """What differs, by the names of the fields."""
    return [name for name in FIELDS if getattr(before, name) != getattr(after, name)]


def version(app: AppRegistration) -> str:
    """What a form knows the app by that it was made from, so that it does not take back another person's change."""
    return hashlib.sha256(repr([getattr(app, name) for name in FIELDS]).encode()).hexdigest()[:16]


def check_server(before: AppRegistration, after: AppRegistration, entries: Iterable[Entry]) -> None:
    """Refuse another authorization server under connections. An issuer that was not pinned may be.

    Raises:
        ConfigurationError: There are connections, and the server would be another.
    """
    fixed = [name for name in _OF_THE_SERVER if getattr(before, name) != getattr(after, name)]
    if before.issuer is None and "issuer" in fixed:
        fixed.remove("issuer")
    count = len(list(entries)) if fixed else 0
    if count:
        raise told(
            "e-fixed",
            f"{fixed[0]} of {before.name} cannot be changed while connections need it; there are {count}",
            hint="register another app: lakekey apps add", app=before.name, count=str(count),
        )  # fmt: skip


def ended_by(before: AppRegistration, after: AppRegistration, entries: Iterable[Entry]) -> list[Entry]:
    """The connections that a change ends: their profiles lead to other ones afterwards."""
    return [entry for entry in entries if _ends(before, after, entry)]


def _ends(before: AppRegistration, after: AppRegistration, entry: Entry) -> bool:
    about = entry.about
    if not after.serves(str(about.get("host", "")), about.get("account_id")):
        return True
    # A profile that names scopes of its own keeps them, whatever the app has.
    return about.get("scopes") == _asked(before) and _asked(before) != _asked(after)


def _asked(app: AppRegistration) -> list[str]:
    """An app's scopes, as a target has them: what asks for a refresh token is no permission (RFC 6749 §1.5)."""
    return sorted(set(app.scopes) - {"offline_access"})
