"""The state machine of one credential: fresh → stale → expired → refused, with one exchange for all callers.

Whatever happens here happens in one's turn (`entry_queue`), under two locks: the process's own flight for the entry
(`lakekey._single_flight`), and the entry's lock in the store, held over read, exchange and write. All others read the
result from the entry.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from lakekey._single_flight import Cancelled, Commitment, Flights
from lakekey.cache.entry import Entry, Stored
from lakekey.errors import (
    CredentialsRefused,
    LoginFailed,
    LoginRequired,
    TokenEndpointError,
)
from lakekey.oauth.grants import Grant
from lakekey.oauth.token_response import TokenResponse
from lakekey.session import unsaved
from lakekey.session.credential import Credential
from lakekey.session.credential_part import CredentialPart
from lakekey.session.entry_queue import EntryQueue, NotYet
from lakekey.session.exchange import Exchange
from lakekey.session.login_required import login_required
from lakekey.session.saving import Saving
from lakekey.session.token_answer import entry_from

_early_flights: Flights[Entry | None] = Flights()


class SignIn(Protocol):
    """Lets a person sign in; see `lakekey.login`."""

    def __call__(
        self, commitment: Commitment, held: str | None = None, *, switch: bool = False
    ) -> tuple[TokenResponse, str | None]:
        """Returns the tokens and who signed in. Raises `LoginFailed`."""


class SignedOut(NamedTuple):
    """What a sign-out did.

    Attributes:
        removed: The entry that was there, or ``None``.
        revocation: What became of it at the server (`lakekey.oauth.revocation`); ``None``: nothing to revoke.
    """

    removed: Entry | None
    revocation: str | None


_sign_outs: Flights[SignedOut] = Flights()


class Renewal(CredentialPart):
    """Renews one session.

    Args:
        credential: Whose entry it is.
        queue: The queue for it.
        grant: How it is renewed without a person.
        sign_in: Lets a person sign in, or ``None`` if no person is there.
        revoke: Revokes an entry's tokens at the server and says what became of that.
    """

    def __init__(
        self,
        credential: Credential,
        queue: EntryQueue,
        grant: Grant,
        sign_in: SignIn | None,
        revoke: Callable[[Entry], str] | None = None,
    ) -> None:
        super().__init__(credential)
        self._queue = queue
        self._grant = grant
        self._sign_in = sign_in
        self._revoke = revoke
        # On one machine the kernel's lock tells whether a holder lives, so no intent is needed there.
        shares = grant.needs_person and self._cache.store.spans_machines
        self._saving = Saving(credential, queue.key, revoke, shares=shares)
        self._exchange = Exchange(credential, grant, self._saving, shares=shares)

    def renew(self, commitment: Commitment, stored: Stored, *, ask: bool = True) -> Entry:
        """Get a usable token, under the entry's lock: by one exchange, else by one sign-in.

        Args:
            commitment: The flight's.
            stored: What the store has, read under the lock.
            ask: Whether a person may be asked to sign in.

        Raises:
            LakekeyError: As `Session.usable` says.
        """
        entry = stored.entry
        if not self._grant.needs_person:
            return self._exchange_stored(commitment, stored)
        if entry is None and (signed_in := self._saving.save_held(Entry({}), stored)) is not None:
            if self._credential.serves(signed_in):
                return signed_in
            stored = self._cache.read(self._entry_id)
            entry = stored.entry
        if entry is not None and (entry.refresh_token or unsaved.revives(self._queue.key, entry)):
            try:
                return self._exchange.run(commitment, entry, stored)
            except LoginRequired:
                if self._sign_in is None or not ask:
                    raise
            stored = self._cache.read(self._entry_id)
        elif entry is not None and entry.failure is not None and self._failures.in_login_cooldown(entry.failure):
            raise self._failures.to_error(entry.failure)
        if not ask:
            raise login_required(self._target, entry)
        return self._login(commitment, stored, unasked=True)

    def early(self, known: str) -> Entry | None:
        """Renew a token that is stale but lives, unless another process is at it or has just failed.

        Args:
            known: The access token that the caller has.

        Returns:
            An entry with a newer token, or ``None`` if there is none yet.
        """
        return self._queue.share(
            _early_flights, self._queue.key, lambda commitment: self._renew_if_free(commitment, known)
        )

    def sign_in(self, *, switch: bool = False) -> Entry:
        """Sign in again, whatever is stored; all who ask meanwhile get the same sign-in's result.

        Args:
            switch: Let another person than before take the session over.

        Raises:
            LoginRequired: No person is there to sign in.
            LoginFailed: The sign-in did not succeed.
        """
        before = self._credential.peek() or Entry({})
        if not self._grant.needs_person:

            def is_new(entry: Entry) -> bool:
                return self._credential.serves(entry, before.access_token)

            return self._queue.run("again", before, is_new, self._exchange_stored)
        if self._sign_in is None:
            raise login_required(self._target, None)
        return self._queue.run(
            "switch" if switch else "sign-in",
            before,
            lambda entry: entry.logged_in_at not in (0.0, before.logged_in_at),
            lambda commitment, stored: self._login(commitment, stored, switch=switch),
        )

    def sign_out(self, only: Callable[[Entry], bool] | None = None, *, whose: str = "") -> SignedOut:
        """Remove the entry, so that no process finds it, and then revoke its tokens where the server offers that.

        Threads that ask for the same meanwhile share one removal, one revocation and its outcome. What interrupts it
        before the removal takes effect at once, and later when the revocation has been tried: nothing else has the
        tokens by then.

        Args:
            only: Whether an entry is the one that is meant, asked under its lock; ``None``: any is.
            whose: What sets ``only`` apart from that of others who ask.
        """

        def sign_out(commitment: Commitment) -> SignedOut:
            removed = self._forget(commitment, only)  # stays committed, which the end of the flight settles
            has_tokens = removed is not None and (removed.refresh_token or removed.access_token)
            revocation = self._revoke(removed) if removed is not None and has_tokens and self._revoke else None
            if removed is not None:
                self._events.signed_out(removed.identity, revocation)
            return SignedOut(removed, revocation)

        return self._queue.share(_sign_outs, f"{self._queue.key}:{whose}", sign_out)

    def _forget(self, commitment: Commitment, only: Callable[[Entry], bool] | None) -> Entry | None:
        """Remove the entry. Returns what it was; the commitment is in force if there was one."""

        def remove(commitment: Commitment, stored: Stored) -> Entry:
            if only is not None and stored.entry is not None and not only(stored.entry):
                return Entry({})
            commitment.commit()  # so that a caller that leaves can tell: it has begun, or it never will
            try:
                is_removed = self._cache.delete(self._entry_id, replaces=stored.envelope)
            except BaseException:
                commitment.settled()
                raise
            if not is_removed and stored.envelope is not None:
                commitment.settled()
                raise NotYet(None)  # it was changed just now, by a holder that has lost the lock: look again
            held = unsaved.get(self._queue.key)
            unsaved.drop(self._queue.key)  # an answer that could not be stored: the newest tokens of the session
            return (held.entry if held is not None else stored.entry) or Entry({})

        removed = self._queue.in_turn(commitment, remove)
        return None if removed == Entry({}) else removed

    # -- under the lock -----------------------------------------------------------------------------------------

    def _renew_if_free(self, commitment: Commitment, known: str) -> Entry | None:
        with self._cache.lock(self._entry_id) as held:
            stored = self._cache.read(self._entry_id)
            entry = stored.entry
            if entry is not None and self._credential.serves(entry, known):
                self._events.adopted(entry.identity)
                return entry
            if not held or entry is None or (self._grant.needs_person and not entry.refresh_token):
                return None
            if self._failures.in_backoff(entry.failure):
                return None  # a sibling has just failed: leave the endpoint alone for a while
            try:
                return self._exchange.run(commitment, entry, stored, attempts=1)
            except NotYet:
                return None

    def _exchange_stored(self, commitment: Commitment, stored: Stored) -> Entry:
        return self._exchange.run(commitment, stored.entry or Entry(self._target.description()), stored)

    def _login(self, commitment: Commitment, stored: Stored, *, switch: bool = False, unasked: bool = False) -> Entry:
        if self._sign_in is None:
            raise login_required(self._target, stored.entry)
        before = stored.entry or Entry(self._target.description())
        sent_at = time.time()
        try:
            with self._events.login():
                response, who = self._sign_in(commitment, before.identity, switch=switch)
        except Cancelled:
            self._saving.note_failure(before, stored, self._failures.abandoned())
            raise
        except (LoginFailed, TokenEndpointError, CredentialsRefused) as error:
            self._saving.note_failure(before, stored, error)
            raise
        entry = entry_from(self._target, before._replace(refresh_token="", refused=None), response, sent_at)
        lifetime = self._target.absolute_session_lifetime_in_minutes
        ends_at = sent_at + lifetime * 60 if lifetime else 0.0
        # A person who signs in on purpose has done something about a refused token. One who is asked to has not.
        on_trial = entry.on_trial and unasked
        entry = entry._replace(identity=who, logged_in_at=time.time(), session_ends_at=ends_at, on_trial=on_trial)
        saved = self._saving.save(entry, stored)
        commitment.settled()
        self._events.signed_in(who)
        return saved
