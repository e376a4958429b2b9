"""Keeps one credential usable: read from the cache while it lives, renewed by one exchange when it does not.

With a warm cache, a new process loads nothing but this and `credential`. Waiting for another process adds the queue;
only the process that renews loads the network code.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey._imports import LOADING
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.session.credential import Credential

if TYPE_CHECKING:
    from lakekey._single_flight import Commitment
    from lakekey.cache.cache import Stored
    from lakekey.session.entry_queue import EntryQueue
    from lakekey.session.renewal import Renewal, SignedOut


class Session:
    """Keeps one credential usable: the one class that decides between the cache, an exchange and a sign-in.

    Args:
        target: What it signs in to.
        cache: Where it is kept; ``None`` for the cache that the environment names, opened when it is needed.
        environ: The environment; ``None`` for this process's.
        interactive: Whether and how a person signs in, in the place of ``LAKEKEY_INTERACTIVE``.
    """

    def __init__(
        self,
        target: Target,
        *,
        cache: Cache | None = None,
        environ: Mapping[str, str] | None = None,
        interactive: str | None = None,
    ) -> None:
        self.credential = Credential(target, cache=cache, environ=environ, interactive=interactive)
        self.target = target
        self.entry_id = self.credential.entry_id
        self._queue: EntryQueue | None = None
        self._renewal: Renewal | None = None
        self._assembled_in = 0

    @property
    def cache(self) -> Cache:
        """The cache, opened on first use."""
        return self.credential.cache

    def peek(self) -> Entry | None:
        """The entry as it is stored, without doing anything about it."""
        return self.credential.peek()

    def serves(self, entry: Entry) -> bool:
        """Whether an entry's access token may be sent."""
        return self.credential.serves(entry)

    def usable(self, *, rejected: str = "", known: str = "", served: str = "") -> Entry:
        """An entry whose access token lives: from the cache, else by one exchange, else by one sign-in.

        Args:
            rejected: An access token that a server has refused, which therefore counts as dead; unless it replaced
                another refused one only moments ago (see `settles`), when it is returned as it is.
            served: An access token that a server has accepted, which is therefore no longer on trial.
            known: The access token that the caller has had so far.

        Raises:
            LoginRequired: No person is there to sign in.
            LoginFailed: The sign-in did not succeed.
            CredentialsRefused, TokenEndpointError, CacheError: As they say.
        """
        entry = self.peek()
        if entry is not None and self.credential.settles(entry, rejected, served):
            if known not in ("", entry.access_token):
                self.credential.events.adopted(entry.identity)
            return entry
        if self.target.is_person and not self.credential.attended and (entry is None or not entry.refresh_token):
            with LOADING:
                from lakekey.session.failures import Failures

            raise Failures(self.target).login_required(entry)
        return self.queue.run(
            rejected,
            entry,
            lambda found: self.credential.settles(found, rejected, served),
            self._renew,
        )

    def _renew(self, commitment: "Commitment", stored: "Stored") -> Entry:
        return self.renewal.renew(commitment, stored)  # loaded when it is our turn, not before

    def sign_in(self, *, switch: bool = False) -> Entry:
        """Sign in again, whatever is stored; see `lakekey.session.renewal.Renewal.sign_in`."""
        return self.renewal.sign_in(switch=switch)

    def sign_out(self) -> "SignedOut":
        """Remove the entry for every process, and revoke its tokens if the server offers that."""
        return self.renewal.sign_out()

    def renew_early(self, known: str) -> Entry | None:
        """Renew a token that is stale but lives; see `lakekey.session.renewal.Renewal.early`."""
        return self.renewal.early(known)

    @property
    def queue(self) -> "EntryQueue":
        """The queue for the entry."""
        if self._queue is None:
            with LOADING:
                from lakekey.session.entry_queue import EntryQueue

            self._queue = EntryQueue(self.credential)
        return self._queue

    @property
    def renewal(self) -> "Renewal":
        """What renews this session; loads the protocol code on first use."""
        # A forked child builds its own: the parent's threads may have held a lock in it at the moment of the fork.
        if self._renewal is None or self._assembled_in != os.getpid():
            with LOADING:
                from lakekey.session.assembly import assemble

            self._renewal = assemble(self.credential, self.queue)
            self._assembled_in = os.getpid()
        return self._renewal
