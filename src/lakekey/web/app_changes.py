"""What may change of an app registration while people are connected through it, and which connections that ends.

A connection is known by its workspace, client, scopes and metadata. What is none of these changes at any time; what
leads to another connection ends the one that there is; and refresh tokens stay with the server and the client that they
are of.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lakekey.cache.app_registrations import AppRegistration, choose
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


def check_taken(app: AppRegistration, others: Iterable[AppRegistration]) -> None:
    """Refuse another app's name, or its callback: one server's answer could pass for another's (RFC 9700 §4.4)."""
    for each in others:
        if each.name == app.name:
            hint = f"lakekey apps remove {app.name}, or take another name"
            raise told("e-taken", f"there is an app registration {app.name!r}", hint=hint, app=app.name)
        if app.redirect_uri and each.redirect_uri == app.redirect_uri:
            raise told(
                "e-shared", f"{each.name} has the redirect URI {app.redirect_uri}",
                hint="each app has a redirect URI of its own", app=each.name, redirect_uri=app.redirect_uri,
            )  # fmt: skip


def needs(entry: Entry, app: AppRegistration) -> bool:
    """Whether a connection was made through a registration, also under an earlier name of that."""
    about = entry.about
    if about.get("client_id") != app.client_id:
        return False  # of an earlier app of that name
    return about.get("registration") == app.name or app.serves(str(about.get("host", "")), about.get("account_id"))


def name_of(entry: Entry, apps: Iterable[AppRegistration]) -> str:
    """What the registration that a connection was made through is called today; its name of then where it is gone."""
    then = str(entry.about.get("registration", ""))
    names = [app.name for app in apps if needs(entry, app)]
    return then if then in names or not names else names[0]


def check_ended(
    before: Collection[AppRegistration], after: Collection[AppRegistration], entries: Iterable[Entry],
    *, what: str, again: str | None,
) -> int:  # fmt: skip
    """Refuse a change of the apps that ends connections, of whichever app.

    Args:
        before: The apps before the change.
        after: Those after it.
        entries: All connections.
        what: What changes, for the error.
        again: The command that does it all the same; ``None`` if that is what was asked for.

    Returns:
        How many connections end.

    Raises:
        ConfigurationError: Some do.
    """
    ended = sum(_ends(before, after, entry) for entry in entries)
    if ended and again is not None:
        raise told(
            "e-ends", f"{ended} connection{'s' if ended > 1 else ''} would end: {what}",
            hint=f"{again} --with-connections", count=str(ended),
        )  # fmt: skip
    return ended


def yielding(before: AppRegistration, after: AppRegistration, others: Iterable[AppRegistration]) -> AppRegistration:
    """The changed app; where it comes to serve what another one is the default for, that one stays the default."""
    met = any(each.is_default and overlap(each, after) and not overlap(each, before) for each in others)
    return after._replace(is_default=False) if met else after


def with_default(apps: list[AppRegistration], chosen: AppRegistration) -> list[AppRegistration]:
    """The registrations, of which none but the chosen one is the default where they serve the same."""
    if not chosen.is_default:
        return apps
    return [each._replace(is_default=False) if overlap(each, chosen) else each for each in apps]


def overlap(one: AppRegistration, other: AppRegistration) -> bool:
    """Whether two apps serve the same."""
    same_account = one.account_id is not None and one.account_id == other.account_id
    return same_account or bool(set(one.hosts) & set(other.hosts))


def _ends(before: Iterable[AppRegistration], after: Iterable[AppRegistration], entry: Entry) -> bool:
    """Whether a connection's profile leads to another one after a change of the apps."""
    about = entry.about
    host, account, client = str(about.get("host", "")), about.get("account_id"), about.get("client_id")
    now = choose(before, host, account, None)
    # Whether the profile names its client is not known here. Where the default is another one, it must.
    named = client if now is None or now.client_id != client else None
    now, then = choose(before, host, account, named), choose(after, host, account, named)
    if now is None:
        return False  # it has ended before
    if then is None or (then.client_id, then.discovery_url) != (client, now.discovery_url):
        return True
    # A profile that names scopes of its own keeps them, whatever the app has.
    return about.get("scopes") == _scopes_of(now) and _scopes_of(now) != _scopes_of(then)


def _scopes_of(app: AppRegistration) -> list[str]:
    """An app's scopes, as a target has them: ``offline_access`` is not a permission (RFC 6749 §1.5)."""
    return sorted(set(app.scopes) - {"offline_access"})
