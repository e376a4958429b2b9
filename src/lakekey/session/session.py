"""One credential of the machine: read from the cache while it lives, renewed by one exchange when it does not.

This module is all that a new process on a warm cache loads. Whoever waits for a sibling's renewal loads
`entry_queue`; what talks to the network (`renewal`) is imported by the one whose turn it is.
"""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey._imports import LOADING
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import Target
from lakekey.session.expiry import is_live, is_on_trial

if TYPE_CHECKING:
    from lakekey._single_flight import Commitment
    from lakekey.cache.cache import Stored
    from lakekey.observability.events import Events
    from lakekey.session.entry_queue import Turns
    from lakekey.session.renewal import Renewal


class Session:
    """One credential, shared with every process that uses the same cache.

    Args:
        target: What it signs in to.
        cache: Where it is kept; ``None`` for the cache that the environment names, opened when it is needed.
        environ: The environment; ``None`` for this process's.
    """

    def __init__(self, target: Target, *, cache: Cache | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.target = target
        self.entry_id = entry_id(target.identity())
        self._environ = os.environ if environ is None else environ
        self._proof = target.proof
        self._cache = cache
        self._turns: Turns | None = None
        self._events: Events | None = None
        self._renewal: Renewal | None = None
        self._assembled_in = 0

    @property
    def cache(self) -> Cache:
        """The cache, opened on first use."""
        if self._cache is None:
            environ = self.target.cache_environment(self._environ)
            self._cache = open_cache(environ, place=self.target.store, needed=self.target.is_person)
        return self._cache

    def peek(self) -> Entry | None:
        """The entry as it is stored, without doing anything about it."""
        return self.cache.get(self.entry_id)

    def serves(self, entry: Entry, rejected: str = "") -> bool:
        """Whether an entry's access token lives, is none that a server refused, and was fetched with our secret."""
        return (
            is_live(entry.issued_at, entry.expires_at, time.time())
            and entry.access_token not in ("", rejected)
            and entry.proof == self._proof
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

    def usable(self, *, rejected: str = "", known: str = "", served: str = "") -> Entry:
        """An entry whose access token lives: from the cache, else by one exchange, else by one sign-in.

        Args:
            rejected: An access token that a server has refused, which therefore counts as dead; unless it replaced
                another refused one only moments ago (see `settles`), when it is returned as it is.
            served: An access token that a server has accepted, which is therefore no longer on trial.
            known: The access token that the caller has had so far.

        Raises:
            LoginRequired: Nobody is there to sign in.
            LoginFailed: The sign-in did not succeed.
            CredentialsRefused, TokenEndpointError, CacheError: As they say.
        """
        entry = self.peek()
        if entry is not None and self.settles(entry, rejected, served):
            if known not in ("", entry.access_token):
                self.events.adopted()
            return entry
        if self.target.is_person and not self.attended and (entry is None or not entry.refresh_token):
            with LOADING:
                from lakekey.session.outcomes import Outcomes

            raise Outcomes(self.target).login_required(entry)
        return self.turns.take(
            rejected,
            entry,
            lambda found: self.settles(found, rejected, served),
            self._renew,
        )

    def _renew(self, commitment: "Commitment", stored: "Stored") -> Entry:
        return self.renewal.renew(commitment, stored)  # loaded when it is our turn, not before

    @property
    def attended(self) -> bool:
        """Whether it is a person's, who is there to sign in; asked anew, since forked children may be workers."""
        with LOADING:
            from lakekey.configuration.presence import automation

        return self.target.is_person and automation(self._environ) is None

    @property
    def turns(self) -> "Turns":
        """The turns at the entry, for whoever works on it."""
        if self._turns is None:
            with LOADING:
                from lakekey.session.entry_queue import Turns

            self._turns = Turns(self)
        return self._turns

    @property
    def events(self) -> "Events":
        """Where it is told what happens to this session; loaded with the first event, so not for a warm start."""
        if self._events is None:
            with LOADING:
                from lakekey.observability.events import Events

            self._events = Events(self.target, self.entry_id, self._environ)
        return self._events

    @property
    def renewal(self) -> "Renewal":
        """What renews this session; loads the protocol code on first use."""
        # A forked child builds its own: the parent's threads may have held a lock in it at the moment of the fork.
        if self._renewal is None or self._assembled_in != os.getpid():
            with LOADING:
                from lakekey.session.assembly import assemble

            self._renewal = assemble(self, self._environ)
            self._assembled_in = os.getpid()
        return self._renewal
