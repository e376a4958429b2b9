"""One stored credential of the machine: what it is for, where it is stored, and whether its token can be used.

It knows nothing of queues and exchanges: what works on the entry is handed a credential.
"""

from __future__ import annotations

import os
import time

from lakekey._imports import LOADING
from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import cache_directory, is_shared, open_cache
from lakekey.cache.private_files import owner
from lakekey.errors import StoreUnavailable
from lakekey.session.expiry import is_live, is_on_trial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakekey.cache.cache import Cache
    from lakekey.cache.near import NearCopies
    from lakekey.configuration.target import Target
    from lakekey.observability.events import Events
    from lakekey.session.timing import Timing


class Credential:
    """One stored credential, shared with every process that uses the same cache.

    Args:
        target: What it signs in to.
        cache: Where it is kept; ``None`` for the cache that the environment names, opened when it is needed.
        environ: The environment; ``None`` for this process's.
        interactive: In the place of ``LAKEKEY_INTERACTIVE``.
        timing: How long its steps take; ``None`` for the usual.
    """

    def __init__(
        self,
        target: Target,
        *,
        cache: Cache | None = None,
        environ: Mapping[str, str] | None = None,
        interactive: str | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.target = target
        self.entry_id = entry_id(target.cache_key_fields())
        self.environ = os.environ if environ is None else environ
        self.interactive = interactive
        self._timing = timing
        self._secret_digest = target.secret_digest
        self._cache = cache
        self._opened_as: int | None = None  # nothing to open again: it was given, or no file of one user's
        self._events: Events | None = None
        place = (self.environ.get("LAKEKEY_STORE", "") if target.store is None else target.store).strip()
        self.shared = cache.store.shared if cache is not None else is_shared(place)
        self._place = place
        self._near: NearCopies | None = None
        self.age = 0.0  # seconds since what `look` has returned was compared with the store, at that moment

    @property
    def cache(self) -> Cache:
        """The cache, opened on first use, and again where the process has become another user's since.

        A server's worker is forked from a parent that runs as root, and then changes its user: what the parent had
        opened, it may not read.
        """
        if self._cache is None or self._opened_as not in (None, owner()):
            now = None if self.shared else owner()
            environ = self.target.cache_environment(self.environ)
            self._cache = open_cache(environ, place=self.target.store, needed=self.target.is_person)
            self._opened_as = now  # last: a thread that looks in between opens it once more
            self._events = None  # they name the store
        return self._cache

    def peek(self) -> Entry | None:
        """The entry as it is stored, without doing anything about it."""
        return self.cache.get(self.entry_id)

    def look_near(self, rejected: str = "", served: str = "") -> Entry | None:
        """This host's near copy of the entry in a store that hosts share, where that will do.

        Args:
            rejected: An access token that a server has refused.
            served: An access token that a server has accepted.
        """
        copy = self.near.get(self.entry_id)
        if copy is None or not self.near.is_recent(copy) or not self.settles(copy.entry, rejected, served):
            return None
        self.age = copy.age
        return copy.entry

    def look(self, rejected: str = "", served: str = "") -> Entry | None:
        """The entry in a store that hosts share; where that is away, this host's near copy, if its token lives.

        Args:
            rejected: An access token that a server has refused.
            served: An access token that a server has accepted.

        Raises:
            StoreUnavailable: A near copy will not do, and the store is away.
        """
        copy = self.near.get(self.entry_id)
        serves = copy is not None and self.settles(copy.entry, rejected, served)
        self.age = 0.0
        try:
            entry = self.peek()
        except StoreUnavailable:
            if copy is None or not serves:
                raise
            return copy.entry
        if entry is not None and self.settles(entry, rejected, served):
            self.keep_near(entry)
        if entry is None and self.target.is_person:
            self.near.drop(self.entry_id)
        return entry

    def was_seen_here(self) -> bool:
        """Whether this host has a copy of an entry that is no longer in the store."""
        return self.shared and self.near.get(self.entry_id) is not None

    def has_seen_newer(self, entry: Entry) -> bool:
        """Whether this host has seen a newer entry than a shared store has now, with another refresh token."""
        copy = self.near.get(self.entry_id) if self.shared else None
        if copy is None or entry.generation >= copy.entry.generation:
            return False
        with LOADING:
            from lakekey.session.intent import digest_of

        return copy.token != digest_of(entry.refresh_token)

    def keep_near(self, entry: Entry) -> None:
        """Keep this host's copy of what is in a store that hosts share."""
        if self.shared:
            self.age = 0.0
            with LOADING:
                from lakekey.session.intent import digest_of

            self.near.keep(self.entry_id, entry, digest_of(entry.refresh_token) if entry.refresh_token else "")

    @property
    def near(self) -> NearCopies:
        """This host's copies of entries of the store; only for one that hosts share."""
        if self._near is None:
            with LOADING:
                from lakekey.cache.near import CHECKED, NearCopies

            environ = self.target.cache_environment(self.environ)
            place = self._place if self._cache is None else self._cache.store.name
            given = None if self._timing is None else self._timing.recheck
            checked = CHECKED if given is None else given
            self._near = NearCopies(environ, cache_directory(environ), place, checked=checked)
        return self._near

    def serves(self, entry: Entry, rejected: str = "") -> bool:
        """Whether an entry's access token lives, was not refused by a server, and was fetched with our secret."""
        return (
            is_live(entry.issued_at, entry.expires_at, time.time())
            and entry.access_token not in ("", rejected)
            and entry.proof == self._secret_digest
        )

    def settles(self, entry: Entry, rejected: str, served: str = "") -> bool:
        """Whether an entry needs no exchange: its token serves, or is not to be replaced again so soon.

        A token that replaced a refused one and is refused in turn is kept for `lakekey.session.expiry.TRIAL` seconds.
        The token is not what is wrong then, and without a pause each request would cost an exchange.
        """
        if self.serves(entry, rejected):
            return True
        on_trial = entry.access_token != served and is_on_trial(entry, time.time())
        return on_trial and entry.access_token == rejected and self.serves(entry)

    @property
    def attended(self) -> bool:
        """Whether it is a person's, who is there to sign in; asked each time, since forked children may be workers."""
        with LOADING:
            from lakekey.configuration.presence import why_unattended

        # Where a portal signs people in, the person of a session is at a browser elsewhere.
        if not self.target.is_person or self.target.connect_url:
            return False
        return why_unattended(self.environ, self.interactive) is None

    @property
    def timing(self) -> Timing:
        """How long its steps take; loaded when there is something to do, so not for a warm start."""
        if self._timing is None:
            with LOADING:
                from lakekey.session.timing import USUAL

            self._timing = USUAL
        return self._timing

    @property
    def events(self) -> Events:
        """Where it is told what happens to this session; loaded with the first event, so not for a warm start."""
        if self._events is None:
            with LOADING:
                from lakekey.observability.events import Events
                from lakekey.observability.subject import Subject

            target = self.target
            subject = Subject(
                name=target.name,
                auth_type=target.auth_type,
                host=target.host,
                profile=target.profile,
                who=target.user if target.is_person else target.client_id,
                entry_id=self.entry_id,
                store=self.cache.store.where,
            )
            self._events = Events(subject, self.environ)
        return self._events
