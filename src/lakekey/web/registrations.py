"""App registrations, as an administrator changes them: each change is one compare-and-swap, seen by all workers."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from lakekey import _log
from lakekey.cache.app_registrations import NAME, AppRegistration, apps_of, entry_of, read_apps
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.refusals import Refusals
from lakekey.errors import ConfigurationError
from lakekey.observability import audit
from lakekey.web import app_changes, one_connection, portal_entries
from lakekey.web.app_form import checked, same_name
from lakekey.web.told import told

_PATIENCE = 20.0


class Registrations:
    """The app registrations of a store.

    Args:
        cache: The store.
        actor: Who changes them, for the audit records; ``None`` for the user of this process.
    """

    def __init__(self, cache: Cache, *, actor: str | None = None) -> None:
        self._cache = cache
        self._actor = actor

    def all(self) -> list[AppRegistration]:
        """All of them, those that were made from profiles included.

        Raises:
            CacheError: They cannot be read.
        """
        return read_apps(self._cache)

    def get(self, name: str) -> AppRegistration:
        """The one of that name.

        Raises:
            ConfigurationError: There is none.
        """
        return _app_of(self.all(), name)

    def add(self, app: AppRegistration, *, with_connections: bool = False) -> AppRegistration:
        """Add a registration. The first one for a host is its default.

        Args:
            app: The registration; ``offline_access`` is added to its scopes.
            with_connections: Add it although connections of other apps end by it.

        Returns:
            The registration as it is kept.

        Raises:
            ConfigurationError: It cannot be one, there is one of that name, or connections would end.
            CacheError: An entry cannot be read, which may be a connection that would end.
        """
        app = checked(app)
        entries = self._entries(strict=not with_connections) if self.all() else []
        again = None if with_connections else f"lakekey apps add {app.name} …"

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            app_changes.check_taken(app, apps)
            others = [each for each in apps if app_changes.overlap(each, app) and not each.of_profile]
            added = app._replace(is_default=app.is_default or not others, secret_changed_at=time.time())
            after = [*app_changes.with_default(apps, added), added]
            app_changes.check_ended(apps, after, entries, what="default", again=again)
            return after

        kept = _app_of(self._change(change), app.name)
        self._told("app added", app)
        return kept

    def ensure(self, app: AppRegistration, *, among: Sequence[AppRegistration]) -> None:
        """Keep what a portal makes from a profile with its own client, so that others find its page."""
        app = checked(app)

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            others = [each for each in apps if each.name != app.name]
            if any(each.name == app.name and not each.of_profile for each in apps):
                raise ConfigurationError(
                    f"profile {app.name} names its own client_id, and there is an app registration of that name",
                    hint=f"remove client_id from the profile, or: lakekey apps remove {app.name}",
                    profile=app.of_profile,
                )
            other = next((each.of_profile for each in apps if each.name == app.name), app.of_profile)
            if other != app.of_profile:
                raise same_name(app.name, other, app.of_profile)
            return [*others, app]

        if app not in among:
            self._change(change, durable=False)  # it is made again where it was not stored

    def change(
        self, name: str, /, *, with_connections: bool = False, seen: str | None = None, **fields: Any
    ) -> tuple[AppRegistration, list[str], int]:
        """Change a registration where it is; `lakekey.web.app_changes` says what may change.

        Args:
            name: Which.
            with_connections: Change it although connections end by it.
            seen: The `app_changes.version` of what was looked at before; ``None``: whatever there is.
            **fields: What is to be another; an `AppRegistration`'s.

        Returns:
            The registration as it is kept, the names of what has changed, and how many connections have ended.

        Raises:
            ConfigurationError: It cannot be changed like that, it was changed meanwhile, or connections would end.
            CacheError: An entry cannot be read, which may be a connection that would end.
        """
        before = self.get(name)
        after = checked(app_changes.changed(before, fields))
        what = app_changes.names(before, after)
        entries = self._entries(strict=not with_connections) if what else []
        again, ended = None if with_connections else f"lakekey apps set {name} …", 0

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            nonlocal ended
            now, others = _app_of(apps, name), [each for each in apps if each.name != name]
            if now != before or (seen is not None and app_changes.version(now) != seen):
                raise told("e-meanwhile", f"{name} was changed meanwhile", hint="look at it, and try again", app=name)
            if {"name", "redirect_uri"} & set(what):
                app_changes.check_taken(after, others)
            app_changes.check_server(before, after, [entry for entry in entries if app_changes.needs(entry, before)])
            kept = app_changes.yielding(before, after, others)
            changed = [kept if each.name == name else each for each in apps]
            ended = app_changes.check_ended(apps, changed, entries, what=", ".join(what), again=again)
            return changed

        kept = _app_of(self._change(change), after.name)
        if kept.is_default != before.is_default:
            what.append("is_default")
        if what:
            self._told("app changed", kept, detail=f"{name}: {', '.join(what)}")
        return kept, what, ended

    def set_default(self, name: str, *, with_connections: bool = False) -> int:
        """Make one the default for the hosts that it serves.

        Args:
            name: Which.
            with_connections: Do it although connections of the default until now end by it.

        Returns:
            How many connections have ended.

        Raises:
            ConfigurationError: There is none of that name, or connections would end.
            CacheError: An entry cannot be read, which may be a connection that would end.
        """
        entries, ended = self._entries(strict=not with_connections), 0
        again = None if with_connections else f"lakekey apps set-default {name}"

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            nonlocal ended
            chosen = _app_of(apps, name)._replace(is_default=True)
            after = [chosen if each.name == name else each for each in app_changes.with_default(apps, chosen)]
            ended = app_changes.check_ended(apps, after, entries, what="default", again=again)
            return after

        self._change(change)
        self._told("app made default", self.get(name))
        return ended

    def rotate_secret(self, name: str, secret: str, *, keep_older: bool = True) -> None:
        """Replace a secret. The older one is sent where the server does not accept the new one yet.

        Args:
            name: Which registration.
            secret: The new secret.
            keep_older: Whether the older one stays in use beside it.

        Raises:
            ConfigurationError: There is no registration of that name, or the secret is empty.
        """
        if not secret.strip() or not secret.isprintable():
            raise told("e-secret", "the secret is empty or holds a line break", hint="give the secret on one line")

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            app = _app_of(apps, name)
            older = app.secret if keep_older and app.secret != secret else ""
            changed = app._replace(secret=secret, older_secret=older, secret_changed_at=time.time())
            return [changed if each.name == name else each for each in apps]

        self._change(change)
        self._told("app secret replaced", self.get(name))

    def forget_older_secret(self, name: str) -> None:
        """End the change of a secret: the older one is not kept beside the new one any longer.

        Raises:
            ConfigurationError: There is no registration of that name, or it has one secret only.
        """

        def change(apps: list[AppRegistration]) -> list[AppRegistration]:
            app = _app_of(apps, name)
            if not app.older_secret:
                raise told(
                    "e-no-older-secret",
                    f"{name} has no older secret",
                    hint="lakekey apps show says what it has",
                    app=name,
                )
            return [each._replace(older_secret="") if each.name == name else each for each in apps]

        self._change(change)
        self._told("app older secret forgotten", self.get(name))

    def remove(self, name: str, *, with_connections: bool = False) -> int:
        """Remove a registration.

        Args:
            name: Which.
            with_connections: Remove it although there are connections that need it; they end with their tokens.

        Returns:
            How many connections needed it.

        Raises:
            ConfigurationError: There is none of that name, or connections need it.
            CacheError: An entry cannot be read, which may need it; not asked ``with_connections``.
        """
        app = self.get(name)
        count = len(self.connections_of(app, strict=not with_connections))
        if count and not with_connections:
            raise told(
                "e-needed", f"{count} connection{'s need' if count > 1 else ' needs'} the app registration {name}",
                hint=f"lakekey apps remove {name} --with-connections", app=name, count=str(count),
            )  # fmt: skip
        self._change(lambda apps: [each for each in apps if each.name != name])
        self._told("app removed", app)
        return count

    def connections_of(self, app: AppRegistration, *, strict: bool = True) -> list[str]:
        """The entries of the connections that were made through a registration.

        Args:
            app: The registration.
            strict: Whether an entry that cannot be read is an error, since it may be one of them, and not left out.

        Raises:
            CacheError: The store cannot be read, or an entry of it where that counts.
        """
        return [
            entry_id
            for entry_id, entry in portal_entries.walk(self._cache, strict=strict)
            if app_changes.needs(entry, app)
        ]

    def _entries(self, *, strict: bool) -> list[Entry]:
        return [entry for _, entry in portal_entries.walk(self._cache, strict=strict)]

    def counted(self) -> list[tuple[AppRegistration, int]]:
        """All of them, each with the number of connections that were made through it; one look at the store.

        Raises:
            CacheError: The store cannot be read. An entry that cannot be read is not counted.
        """
        apps = self.all()
        entries = self._entries(strict=False)
        return [(app, sum(app_changes.needs(entry, app) for entry in entries)) for app in apps]

    def _told(self, action: str, app: AppRegistration, *, detail: str | None = None) -> None:
        _log.info("web", "%s: %s", action, app.name)
        workspace = ", ".join(app.hosts) or app.account_id
        where = self._cache.store.where
        acts = action.replace(" ", "_")
        audit.record(
            audit.ADMINISTRATION, action=acts, detail=detail or app.name, workspace=workspace, store=where,
            actor=self._actor,
        )  # fmt: skip

    def _change(
        self, change: Callable[[list[AppRegistration]], list[AppRegistration]], *, durable: bool = True
    ) -> list[AppRegistration]:
        """Change them. What is kept in this process only, as on a full disk, is lost with it: so that is an error."""
        did = "took none of the changes of the app registrations"
        refusals = Refusals(self._cache.store, did, pause=one_connection.pause)
        while True:
            with self._cache.locked(NAME, patience=_PATIENCE, pause=one_connection.pause) as stored:
                apps = change(apps_of(stored.entry))
                if self._cache.put(NAME, entry_of(apps), replaces=stored.envelope, durable=durable) is not None:
                    return apps
            refusals.wait()


def _app_of(apps: list[AppRegistration], name: str) -> AppRegistration:
    found = next((app for app in apps if app.name == name), None)
    if found is None:
        names = ", ".join(app.name for app in apps) or "none"
        raise told("e-no-app", f"there is no app registration {name!r}", hint=f"there are: {names}", app=name)
    return found
