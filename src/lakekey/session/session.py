"""Keeps one credential usable: read from the cache while it lives, renewed by one exchange when it does not.

With a warm cache, a new process loads nothing but this and `credential`. Waiting for another process adds the queue;
only the process that renews loads the network code.
"""

from __future__ import annotations

import os
import sys
import time

from lakekey._imports import LOADING
from lakekey.session.credential import Credential
from lakekey.session.expiry import stale_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lakekey._single_flight import Commitment
    from lakekey.cache.cache import Cache
    from lakekey.cache.entry import Entry, Stored
    from lakekey.configuration.target import Target
    from lakekey.session.entry_queue import EntryQueue
    from lakekey.session.renewal import Renewal, SignedOut
    from lakekey.session.timing import Timing


class SignedOutElsewhere(Exception):
    """The session was signed out of on another host, while this process has a token that still lives."""


class Session:
    """Keeps one credential usable: the one class that decides between the cache, an exchange and a sign-in.

    Args:
        target: What it signs in to.
        cache: Where it is kept; ``None`` for the cache that the environment names, opened when it is needed.
        environ: The environment; ``None`` for this process's.
        interactive: Whether and how a person signs in, in the place of ``LAKEKEY_INTERACTIVE``.
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
        self.credential = Credential(target, cache=cache, environ=environ, interactive=interactive, timing=timing)
        self.target = target
        self.entry_id = self.credential.entry_id
        self._queue: EntryQueue | None = None
        self._renewal: Renewal | None = None
        self._assembled_for: tuple[int, Cache] | None = None

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

    def usable(self, *, rejected: str = "", known: str = "", served: str = "", ask: bool = True) -> Entry:
        """An entry whose access token lives: from the cache, else by one exchange, else by one sign-in.

        Args:
            rejected: An access token that a server has refused, which therefore counts as dead; unless it replaced
                another refused one only moments ago (see `settles`), when it is returned as it is.
            served: An access token that a server has accepted, which is therefore no longer on trial.
            known: The access token that the caller has had so far.
            ask: Whether a person may be asked to sign in.

        Raises:
            LoginRequired: No person is there to sign in, or none may be asked.
            LoginFailed: The sign-in did not succeed.
            CredentialsRefused, TokenEndpointError, CacheError: As they say.
        """
        if not self.credential.shared:
            return self._usable(self.peek, rejected, known, served, ask=ask)
        if _inside_work():
            return self._at_hand(rejected, served)
        found = self.credential.look_near(rejected, served)
        if found is not None:
            return self._adopted(found, known)

        def look() -> Entry | None:
            return self.credential.look(rejected, served)

        # The first one may be waiting for a person, or for a store that is away, without which a copy serves.
        if self.credential.attended or self._kept_near(rejected, served) is not None:
            return self._usable(look, rejected, known, served, ask=ask)
        with LOADING:
            from lakekey.session.host_line import in_line

        whose = f"{self.target.secret_digest}:{rejected}:{served}"
        since = time.monotonic()
        with in_line(self.credential, lambda: self.credential.look_near(rejected, served), whose) as found:
            if found is not None:
                return self._adopted(found, known)
            return self._usable(look, rejected, known, served, ask=ask, since=since)

    def _adopted(self, entry: Entry, known: str) -> Entry:
        """An entry that needs nothing; it is told of where it is another than the caller had."""
        if known not in ("", entry.access_token):
            self.credential.events.adopted(entry.identity)
        return entry

    def _usable(
        self,
        look: Callable[[], Entry | None],
        rejected: str,
        known: str,
        served: str,
        *,
        ask: bool,
        since: float | None = None,
    ) -> Entry:
        """The entry that a look finds, or what takes its place; see `usable`."""
        entry = look()
        if entry is not None and self.credential.settles(entry, rejected, served):
            return self._adopted(entry, known)
        over = entry is None or (not entry.refresh_token and not self._has_answer_for(entry))
        if self.target.is_person and over and not (ask and self.credential.attended):
            with LOADING:
                from lakekey.session.login_required import login_required

            error = login_required(self.target, entry)
            if entry is None and (reason := self.cache.volatile) is not None:
                error.message += f": {reason}"
                error.hint = f"set LAKEKEY_CACHE_DIR to a directory of yours that can be written to; then {error.hint}"
            elif entry is None and self.credential.was_seen_here():
                error.message = (
                    f"the store {self.cache.store.where} has no session any more, though this host has seen one: "
                    "it was signed out of, or evicted, or the store was emptied"
                )
            raise error
        renewed = self.queue.run(
            rejected if ask else f"unattended:{rejected}",  # a flight of its own: others may ask
            entry,
            lambda found: self.credential.settles(found, rejected, served),
            self._renew if ask else self._renew_unattended,
            ask=ask,
            since=since,
        )
        self.credential.keep_near(renewed)
        return renewed

    def _at_hand(self, rejected: str, served: str) -> Entry:
        """What this host itself has of a store that hosts share: the caller is inside a renewal, and holds it up."""
        kept = self._kept_near(rejected, served)
        if kept is not None:
            return kept
        with LOADING:
            from lakekey.session.failures import Failures

        raise Failures(self.target, self.credential.timing).busy()

    def _kept_near(self, rejected: str, served: str) -> Entry | None:
        """The near copy whose token will do, however long ago it was compared with the store."""
        copy = self.credential.near.get(self.entry_id)
        return copy.entry if copy is not None and self.credential.settles(copy.entry, rejected, served) else None

    def _has_answer_for(self, entry: Entry) -> bool:
        """Whether this process holds an answer for a session that another host has given up for lack of it."""
        with LOADING:
            from lakekey.session import unsaved

        return unsaved.revives(self.queue.key, entry)

    def _renew(self, commitment: Commitment, stored: Stored) -> Entry:
        return self.renewal.renew(commitment, stored)  # loaded when it is our turn, not before

    def _renew_unattended(self, commitment: Commitment, stored: Stored) -> Entry:
        return self.renewal.renew(commitment, stored, ask=False)

    def sign_in(self, *, switch: bool = False) -> Entry:
        """Sign in again, whatever is stored; see `lakekey.session.renewal.Renewal.sign_in`."""
        entry = self.renewal.sign_in(switch=switch)
        self.credential.keep_near(entry)
        return entry

    def sign_out(self, only: Callable[[Entry], bool] | None = None, *, whose: str = "") -> SignedOut:
        """Remove the entry for every process, and revoke its tokens if the server offers that.

        Args:
            only: Whether an entry is the one that is meant, asked under its lock; ``None``: any is.
            whose: What sets ``only`` apart from that of others who ask.
        """
        done = self.renewal.sign_out(only, whose=whose)
        if self.credential.shared:
            self.credential.near.drop(self.entry_id)
        return done

    def renew_early(self, known: str, *, always: bool = False) -> Entry | None:
        """Renew a token that is stale but lives; see `lakekey.session.renewal.Renewal.early`.

        In a store that hosts share this is also where a process learns what others have done: it asks every
        `lakekey.cache.near.CHECKED` seconds, and goes on with a token that is not stale yet.

        Args:
            known: The access token that the caller has.
            always: Renew it although it is not stale yet, for the refresh token's sake.

        Raises:
            SignedOutElsewhere: The session is no longer there.
        """
        if not self.credential.shared or always:
            return self.renewal.early(known)
        entry = self.peek()
        if entry is None and self.target.is_person:
            self.credential.near.drop(self.entry_id)
            raise SignedOutElsewhere
        fresh = entry is not None and time.time() < stale_at(entry.issued_at, entry.expires_at)
        if entry is None or not (fresh and self.credential.serves(entry)):
            entry = self.renewal.early(known)
        if entry is not None:
            self.credential.keep_near(entry)
        return entry

    @property
    def recheck_after(self) -> float:
        """Seconds after which a process asks again if its token is still the session's; a near copy's age counts."""
        if not self.credential.shared:
            return float("inf")
        return max(0.0, self.credential.near.checked - self.credential.age)

    @property
    def queue(self) -> EntryQueue:
        """The queue for the entry."""
        if self._queue is None or not self._queue.is_in(self.cache):
            with LOADING:
                from lakekey.session.entry_queue import EntryQueue

            self._queue = EntryQueue(self.credential)
        return self._queue

    @property
    def renewal(self) -> Renewal:
        """What renews this session; loads the protocol code on first use."""
        # A forked child builds its own: the parent's threads may have held a lock in it at the moment of the fork.
        now = (os.getpid(), self.cache)
        if self._renewal is None or self._assembled_for != now:
            with LOADING:
                from lakekey.session.assembly import assemble

            self._renewal = assemble(self.credential, self.queue)
            self._assembled_for = now
        return self._renewal


def _inside_work() -> bool:
    """Whether the calling code runs inside a renewal of this process, or under a lock that one needs."""
    # Not loaded, or just being loaded by another thread: there is no work yet.
    inside = getattr(sys.modules.get("lakekey._inside_work"), "inside", None)
    return inside is not None and bool(inside())
