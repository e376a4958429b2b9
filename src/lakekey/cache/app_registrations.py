"""The OAuth apps that an administrator registered for a portal, sealed in the store that its workers share.

One entry holds them all: there are few, and a change is seen by every process with its next look.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lakekey.cache.cache import Cache
from lakekey.cache.client_secrets import sealed_entry
from lakekey.cache.entry import WEB_APPS, Entry

#: The name of the entry.
NAME = "web-apps"
#: What an app asks for unless told otherwise.
DEFAULT_SCOPES = ("all-apis", "email", "offline_access", "openid", "profile")


class AppRegistration(NamedTuple):
    """An OAuth app through which a portal signs people in.

    Attributes:
        name: What the administrator calls it; it is the last part of the redirect URI.
        client_id: The client id at the authorization server.
        hosts: The workspaces that it signs in to.
        account_id: The account whose workspaces it signs in to, or ``None``.
        discovery_url: The authorization server's metadata, where it is not the host's own.
        issuer: The issuer that the metadata must name, or ``None`` for the one that they name first.
        scopes: What it asks for; `with_offline_access` has seen to ``offline_access``.
        secret: Its secret, or ``""`` for a public client.
        older_secret: The secret that ``secret`` replaces, while both are valid.
        secret_changed_at: When the secret was changed, in epoch seconds.
        refresh_token_lifetime_in_minutes: As registered at the server, or ``None``.
        absolute_session_lifetime_in_minutes: As registered at the server, or ``None``.
        redirect_uri: The redirect URI to register at the server.
        is_default: Whether it is used where a profile names no client id.
        of_profile: The profile that it was made from, where a profile names its own client; else ``""``.
    """

    name: str
    client_id: str
    hosts: tuple[str, ...] = ()
    account_id: str | None = None
    discovery_url: str | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    secret: str = ""
    older_secret: str = ""
    secret_changed_at: float = 0.0
    refresh_token_lifetime_in_minutes: float | None = None
    absolute_session_lifetime_in_minutes: float | None = None
    redirect_uri: str = ""
    is_default: bool = False
    of_profile: str = ""

    def __repr__(self) -> str:
        return f"AppRegistration({self.name}, {self.client_id}, {'confidential' if self.secret else 'public'})"

    def serves(self, host: str, account_id: str | None) -> bool:
        """Whether it signs in to a host, or to a host of an account."""
        return host in self.hosts or (self.account_id is not None and self.account_id == account_id)

    @property
    def portal(self) -> str:
        """The address of the portal whose redirect URI it has, without a slash at its end."""
        return self.redirect_uri.rpartition("/callback/")[0]


def with_offline_access(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes in order; without ``offline_access`` no answer has a refresh token, so it is always among them."""
    return tuple(sorted({*scopes, "offline_access"}))


def apps_of(entry: Entry | None) -> list[AppRegistration]:
    """The registrations that an entry holds."""
    fields = entry.about.get("apps", []) if entry is not None else []
    return [_app(each) for each in fields]


def entry_of(apps: Iterable[AppRegistration]) -> Entry:
    """The entry that holds registrations."""
    return Entry({"kind": WEB_APPS, "apps": [_as_json(app) for app in apps]})


def read_apps(cache: Cache) -> list[AppRegistration]:
    """All registrations of a store.

    Raises:
        CacheError: They cannot be read.
    """
    return apps_of(cache.get(NAME))


def find_app(
    environ: Mapping[str, str], place: str | None, host: str, account_id: str | None, client_id: str | None
) -> AppRegistration | None:
    """The registration for a host: the one with a client id, or the default one where none is named.

    Args:
        environ: The environment, which names the store.
        place: The store, where the configuration names it.
        host: The workspace.
        account_id: Its account, where configured.
        client_id: The client id, where configured.

    Raises:
        CacheError: There are registrations, and they cannot be opened.
    """
    return choose(apps_of(sealed_entry(environ, place, NAME)), host, account_id, client_id)


def choose(
    apps: Iterable[AppRegistration], host: str, account_id: str | None, client_id: str | None
) -> AppRegistration | None:
    """As `find_app`, among these."""
    fitting = [app for app in apps if app.serves(host, account_id)]
    if client_id is not None:
        return next((app for app in fitting if app.client_id == client_id), None)
    registered = [app for app in fitting if not app.of_profile]
    named = next((app for app in registered if app.is_default), registered[0] if len(registered) == 1 else None)
    # A profile without a client id signs in through the platform's own client, and so may a portal on loopback.
    return named or next((app for app in fitting if app.of_profile), None)


def _app(fields: Mapping[str, Any]) -> AppRegistration:
    known = {name: fields[name] for name in AppRegistration._fields if name in fields}
    for name in ("hosts", "scopes"):
        known[name] = tuple(known.get(name, ()))
    return AppRegistration(**known)


def _as_json(app: AppRegistration) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in app._asdict().items()}
