"""All connections of a portal, as its administrator sees them, and what happens when a person leaves."""

from collections.abc import Callable
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.entry import Entry
from lakekey.configuration.target import person_key
from lakekey.errors import CacheError
from lakekey.observability import audit
from lakekey.session import removal
from lakekey.session.session import Session
from lakekey.web import app_changes, connections
from lakekey.web.connections import Connection
from lakekey.web.endings import Ending, Notes, ending_of
from lakekey.web.people import User
from lakekey.web.profile_targets import ProfileTargets
from lakekey.web.reliance import Reliance
from lakekey.web.service import PortalService
from lakekey.web.told import told


class Held(NamedTuple):
    """A connection of a person, as the store holds it.

    Attributes:
        entry_id: Its entry.
        user: Whose it is, by the host application's name.
        user_id: That person's unchanging id, or ``""``.
        profile: The profile that leads to it today; where none does, the one that it was made for.
        offered: Whether this portal uses it today. It does not where the profile is gone, or another app has replaced
            the one that it was made through.
        connection: How it stands.
    """

    entry_id: str
    user: str
    user_id: str
    profile: str
    offered: bool
    connection: Connection


class Removal(NamedTuple):
    """What became of a connection that an administrator removed.

    Attributes:
        user: Whose it was.
        profile: Which.
        revocation: What became of it at the server (`lakekey.oauth.revocation`); ``None``: not asked.
        schedules: The schedules that depended on it, by name; ``None`` if the host application does not say.
    """

    user: str
    profile: str
    revocation: str | None
    schedules: tuple[str, ...] | None = None


class Everyone:
    """The connections of all users of a portal.

    Args:
        service: The portal.
        actor: Who administers, for the audit records; ``None`` for the user of this process.
        reliance: What runs without a person; ``None`` to ask the host application at each look.
    """

    def __init__(self, service: PortalService, *, actor: str | None = None, reliance: Reliance | None = None) -> None:
        self._service = service
        self._actor = actor
        self._reliance = reliance
        self._cache = service.cache

    def all(self) -> list[Held]:
        """All connections that were made through a portal, with what can be read of them.

        Raises:
            CacheError: The store cannot be read. An entry that cannot be read is left out, and logged.
        """
        return self._look()[0]

    def of(self, user: User | str) -> list[Held]:
        """The connections of a person; with a name alone, those of everyone who had it."""
        return [held for held in self.all() if _is_theirs(held, user)]

    def remove(self, user: User | str) -> list[Removal]:
        """Remove all connections of a person who leaves, and revoke them; also those of profiles that are gone.

        Args:
            user: Who. With an id, what an earlier person of that name has stays; what was connected without an id is
                the name's.

        Raises:
            ConfigurationError: That person has no connection, or several persons of that name have some and no id says
                which is meant; nothing was removed.
            CacheError: The store cannot be read or written; or an entry cannot be read, which may be that person's.
                Those that can be read are removed all the same.
        """
        name = person_key(user.name if isinstance(user, User) else user)
        held, unread = self._look()
        found = [each for each in held if _is_theirs(each, user)]
        ids = sorted({each.user_id for each in found if each.user_id})
        if len(ids) > 1:
            raise told(
                "e-namesakes", f"{len(ids)} persons have had the name {name}, with the ids {', '.join(ids)}",
                hint="say which is meant: User(name, id)", user=name, ids=", ".join(ids),
            )  # fmt: skip
        removed = [self._remove(each) for each in found]
        gone = [each for each in removed if each is not None]
        if unread:
            raise _unread(unread, f"removed for {name}: {len(gone)}")
        if not gone:
            raise told(
                "e-not-connected", f"{name} has no connection",
                hint="look at the list of connections for how the name is written", user=name,
            )  # fmt: skip
        return gone

    def remove_one(self, entry_id: str) -> Removal:
        """Remove one connection.

        Raises:
            ConfigurationError: There is none with that id.
            CacheError: The store cannot be read or written, or the entry cannot be read.
        """
        held, unread = self._look()
        found = next((each for each in held if each.entry_id == entry_id), None)
        if entry_id in unread:
            raise _unread([entry_id], "nothing is removed")
        removed = self._remove(found) if found is not None else None
        if removed is None:
            raise told("e-gone", "there is no such connection", hint="it may already have been removed")
        return removed

    def tell_endings(self, hook: Callable[[Ending], None], *, now: float | None = None) -> list[Ending]:
        """Tell of connections that near their end: three days ahead, an hour ahead, and when they have ended.

        Each is told of once at each of these stages, whichever worker or host asks.

        Args:
            hook: What is told, such as a function that writes a mail. What it raises keeps it from counting as told.
            now: Seconds since the epoch; ``None`` for the clock's.

        Returns:
            What was told.

        Raises:
            CacheError: The store cannot be read or written. What could be told was told before that.
        """
        at = self._cache.now() if now is None else now
        everyone = self.all()
        notes = Notes(self._cache, ((held.user, held.profile) for held in everyone))
        due = [ending for held in everyone if (ending := self._ending(held, at)) is not None]
        return notes.tell(due, hook)

    # -- inside -------------------------------------------------------------------------------------------------

    def _look(self) -> tuple[list[Held], list[str]]:
        """All connections that can be read, in order; and the entries that cannot be read."""
        found, unread, apps = [], [], self._service.registrations.all()
        reliance = self._service.reliance() if self._reliance is None else self._reliance
        targets = ProfileTargets(self._service)
        for entry_id, stored in self._cache.walk():
            if isinstance(stored, CacheError):
                _log.warning("web", "entry %s cannot be read: %s", entry_id[:12], stored.message)
                unread.append(entry_id)
                continue
            entry = stored.entry
            if entry is not None and "portal_user" in entry.about:
                held = self._held(entry_id, entry, targets, reliance)
                name = app_changes.name_of(entry, apps)
                found.append(held._replace(connection=held.connection._replace(registration=name)))
        return sorted(found, key=lambda held: (held.user, held.profile)), unread

    def _held(self, entry_id: str, entry: Entry, targets: ProfileTargets, reliance: Reliance) -> Held:
        owner = entry.about["portal_user"]
        profile = str(entry.about.get("profile", ""))
        user = User(str(owner.get("name", "")), str(owner.get("id", "")))
        target = targets.leading_to(entry_id, profile, str(entry.about.get("host", "")), user)
        if target is None:
            connection = Connection(
                profile, str(entry.about.get("host", "")), (), connections.CONNECTED, entry.identity,
                schedules=reliance.on(user, profile),
            )  # fmt: skip
        else:
            connection = self._service.connection_of(target, entry, user, reliance)
        return Held(entry_id, user.name, user.id, connection.profile, target is not None, connection)

    def _remove(self, held: Held) -> Removal | None:
        """Remove a connection; ``None`` if it was gone already."""
        revocation, session = None, self._session(held)

        def is_listed(entry: Entry) -> bool:
            """Whether it is still the connection that was listed; the name may have become another person's."""
            owner = entry.about.get("portal_user") or {}
            return (owner.get("name", ""), owner.get("id", "")) == (held.user, held.user_id)

        if session is not None:
            done = session.sign_out(is_listed, whose=f"listed {held.user_id}")
            revocation, gone = done.revocation, done.removed is not None
        else:  # of a profile or an app that has changed since, only the entry itself is known
            gone = removal.remove(self._cache, held.entry_id, is_listed)
        if not gone:
            return None
        self._service.forget(held.user, held.profile)
        audit.record(
            audit.ADMINISTRATION,
            environ=self._service.environ,
            action="connection_removed",
            detail=revocation,
            who=held.user,
            actor=self._actor,
            workspace=held.connection.host,
            profile=held.profile,
            entry=held.entry_id,
            store=self._cache.store.where,
        )
        return Removal(held.user, held.profile, revocation, held.connection.schedules)

    def _session(self, held: Held) -> Session | None:
        """The session that a connection is, where its profile still leads to it."""
        if not held.offered:
            return None
        target = self._service.target(held.profile, User(held.user, held.user_id))
        session = self._service.session(target)
        return session if session.entry_id == held.entry_id else None

    def _ending(self, held: Held, now: float) -> Ending | None:
        return ending_of(held.connection, held.user, now, self._service.page_of(held.profile))


def _is_theirs(held: Held, user: User | str) -> bool:
    """As `lakekey.web.connections.is_of` has it: an id that is known on both sides tells namesakes apart."""
    name, unique = (user.name, user.id) if isinstance(user, User) else (user, "")
    return held.user == person_key(name) and ("" in (held.user_id, unique) or held.user_id == unique)


def _unread(entries: list[str], done: str) -> CacheError:
    names = ", ".join(each[:12] for each in entries)
    return CacheError(
        f"{len(entries)} entries of the store cannot be read ({names}); {done}",
        hint="lakekey doctor says why; lakekey logout ENTRY removes one as it is",
    )
