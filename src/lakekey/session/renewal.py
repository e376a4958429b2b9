"""The state machine of one credential: fresh → stale → expired → refused, with one exchange for everybody.

Whatever happens here happens in one's turn (`entry_queue`), under two locks: the process's own flight for the entry
(`lakekey._single_flight`), and the entry's lock in the store, held over read, exchange and write. All others read the
result from the entry.
"""

import random
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from lakekey._single_flight import Commitment, Flights, Withdrawn
from lakekey.cache.entry import Entry, Stored
from lakekey.errors import (
    CacheError,
    CacheWriteFailed,
    CredentialsRefused,
    LakekeyError,
    LoginFailed,
    LoginRequired,
    StoreUnavailable,
    TokenEndpointError,
)
from lakekey.oauth import deadlines
from lakekey.oauth.grants import Grant
from lakekey.oauth.token_response import InvalidGrant, TokenResponse
from lakekey.session import unsaved
from lakekey.session.credential import Credential
from lakekey.session.entry_queue import EntryQueue, NotYet
from lakekey.session.failures import Failures
from lakekey.session.intent import Guarded, LeaseLost
from lakekey.session.spending import Spending, leaves_doubt
from lakekey.session.token_answer import entry_from

_PATIENCE_TO_SAVE = 20.0  # seconds that an answer is tried to be stored in a store that is away

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


class Renewal:
    """Renews one session.

    Args:
        credential: Whose entry it is.
        queue: The queue for it.
        grant: How it is renewed without a person.
        sign_in: Lets a person sign in, or ``None`` where no person is there.
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
        self._credential = credential
        self._queue = queue
        self._target = credential.target
        self._timing = credential.timing
        self._failures = Failures(credential.target, credential.timing)
        self._events = credential.events
        self._cache = credential.cache
        self._entry_id = credential.entry_id
        self._grant = grant
        self._sign_in = sign_in
        self._revoke = revoke
        # On one machine the kernel's lock tells whether a holder lives, so no intent is needed there.
        self._shares = self._cache.store.shared and grant.needs_person
        self._spending = Spending(credential, needed=self._shares)

    def renew(self, commitment: Commitment, stored: Stored) -> Entry:
        """Bring a usable token about, under the entry's lock: by one exchange, else by one sign-in.

        Args:
            commitment: The flight's.
            stored: What the store has, read under the lock.

        Raises:
            LakekeyError: As `Session.usable` says.
        """
        entry = stored.entry
        if not self._grant.needs_person:
            return self._exchange_anew(commitment, stored)
        if entry is not None and unsaved.revives(self._queue.key, entry):
            # Another host had no answer and has ended the session for that. This process has the answer.
            entry = self._save_held(stored)
            if self._credential.serves(entry):
                return entry
            stored = self._cache.read(self._entry_id)
            entry = stored.entry
        if entry is not None and entry.refresh_token:
            try:
                return self._exchange(commitment, entry, stored)
            except LoginRequired:
                if self._sign_in is None:
                    raise
            stored = self._cache.read(self._entry_id)
        elif entry is not None and entry.failure is not None and self._failures.in_login_cooldown(entry.failure):
            raise self._failures.to_error(entry.failure)
        return self._login(commitment, stored, unasked=True)

    def early(self, known: str) -> Entry | None:
        """Renew a token that is stale but lives, unless another process is at it or has just failed.

        Args:
            known: The access token that the caller has.

        Returns:
            An entry with a newer token, or ``None`` where there is none yet.
        """
        return self._queue.share(
            _early_flights, self._queue.key, lambda commitment: self._renew_if_free(commitment, known)
        )

    def sign_in(self, *, switch: bool = False) -> Entry:
        """Sign in anew, whatever is stored; all who ask meanwhile get the same sign-in's result.

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

            return self._queue.run("anew", before, is_new, self._exchange_anew)
        if self._sign_in is None:
            raise self._failures.login_required(None)
        return self._queue.run(
            "switch" if switch else "sign-in",
            before,
            lambda entry: entry.logged_in_at not in (0.0, before.logged_in_at),
            lambda commitment, stored: self._login(commitment, stored, switch=switch),
        )

    def sign_out(self) -> SignedOut:
        """Remove the entry, so that no process finds it, and then revoke its tokens where the server offers that."""
        removed = self.forget()
        has_tokens = removed is not None and (removed.refresh_token or removed.access_token)
        revocation = self._revoke(removed) if removed is not None and has_tokens and self._revoke else None
        if removed is not None:
            self._events.signed_out(removed.identity, revocation)
        return SignedOut(removed, revocation)

    def forget(self) -> Entry | None:
        """Remove the entry. Returns what it was."""

        def remove(_: Commitment, stored: Stored) -> Entry:
            if not self._cache.delete(self._entry_id, replaces=stored.envelope) and stored.envelope is not None:
                raise NotYet(None)  # it was changed just now, by a holder that has lost the lock: look again
            return stored.entry or Entry(self._target.about())

        removed = self._queue.run("forget", None, None, remove)
        return removed if removed.generation else None

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
                return self._exchange(commitment, entry, stored, attempts=1)
            except NotYet:
                return None

    def _save_held(self, stored: Stored) -> Entry:
        """Store the answer that this process holds. Raises as `_save`."""
        held = unsaved.get(self._queue.key)
        assert held is not None
        try:
            saved = self._save(held.entry, stored, spent=held.spent)
        except LoginRequired:
            unsaved.drop(self._queue.key)
            raise
        unsaved.drop(self._queue.key)
        self._events.refreshed(saved.identity)
        return saved

    def _exchange_anew(self, commitment: Commitment, stored: Stored) -> Entry:
        return self._exchange(commitment, stored.entry or Entry(self._target.about()), stored)

    def _exchange(self, commitment: Commitment, entry: Entry, stored: Stored, attempts: int | None = None) -> Entry:
        """One exchange at the token endpoint, its answer stored before it is returned."""
        attempts = attempts or self._timing.attempts
        held = unsaved.get(self._queue.key)
        if held is not None and held.spent != entry.refresh_token:
            unsaved.drop(self._queue.key)
        elif held is not None:
            # An earlier answer could not be written, and what is stored is what it was bought with. Nothing is sent
            # before it is: another answer would be lost as that one almost was.
            entry = self._save_held(stored)
            if self._credential.serves(entry):
                return entry
            stored = self._cache.read(self._entry_id)
        guard = Guarded(commitment, self._still_ours)
        entry, stored = self._spending.declare(entry, stored)
        try:
            response, sent_at = self._send_or_withdraw(guard, entry, stored, attempts)
        except InvalidGrant as refusal:
            said = refusal.description
        except (TokenEndpointError, CredentialsRefused) as error:
            self._note_failure(self._spending.after_failure(entry, guard), stored, error)
            raise
        else:
            if response.problem:
                raise self._keep_refresh_token(commitment, entry, stored, response, sent_at)
            renewed = self._save(entry_from(self._target, entry, response, sent_at), stored, spent=entry.refresh_token)
            commitment.release()
            self._events.refreshed(renewed.identity)
            return renewed
        return self._on_invalid_grant(commitment, entry, stored, said, attempts)

    def _send_or_withdraw(
        self, guard: Guarded, entry: Entry, stored: Stored, attempts: int
    ) -> tuple[TokenResponse, float]:
        """Send the request; where anything prevents that before it was sent, the intent is taken back."""
        try:
            return self._send(guard, entry, attempts)
        except (TokenEndpointError, CredentialsRefused, InvalidGrant):
            raise  # what `_exchange` writes down of these settles the intent, too
        except BaseException as trouble:  # a proxy or a CA file that cannot be used, an interruption, a lost lease
            if not guard.sent:
                self._spending.withdraw(stored)
            if not isinstance(trouble, LeaseLost):
                raise
        raise NotYet(None)

    def _send(self, commitment: Guarded, entry: Entry, attempts: int) -> tuple[TokenResponse, float]:
        """Send the request until it is answered; only what may help is tried again, and not past the deadline.

        Where hosts share the store, a single-use token that the server may have consumed is not sent again here: that
        is a second presentation, and needs an intent that says so.

        Returns:
            The answer, and when its request was sent.
        """
        deadline = time.monotonic() + self._timing.exchange_deadline
        single_use = self._shares and entry.rotates is not False
        for attempt in range(1, attempts + 1):
            try:
                with deadlines.within(deadline):
                    self._grant.prepare()  # spends nothing, so a Ctrl-C need not wait for a host that does not answer
                    sent_at = time.time()
                    with deadlines.committing(commitment):  # commits when the connection is made, right before sending
                        renewed = self._events.exchange(
                            lambda: self._grant.renew(entry.refresh_token, deadline=deadline)
                        )
                    return renewed, sent_at
            except TokenEndpointError as error:
                commitment.in_doubt |= commitment.sent and leaves_doubt(error)
                commitment.release()
                wait = self._timing.first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                wait += error.retry_after or 0.0  # never sooner than asked, and not all hosts at once
                last = not error.retryable or attempt == attempts or time.monotonic() + wait > deadline
                if last or (single_use and commitment.in_doubt):
                    raise
                self._events.retries(error, wait)
            except BaseException:
                commitment.release()
                raise
            commitment.pause(wait)
        raise AssertionError("unreachable")  # pragma: no cover

    def _on_invalid_grant(
        self, commitment: Commitment, entry: Entry, stored: Stored, said: str, attempts: int
    ) -> Entry:
        """A dead refresh token: go on from a newer one if it was stored, else end the session for all."""
        commitment.release()
        if not self._grant.needs_person:
            # RFC 6749 §5.2 has this code for any grant; a service principal has no session that could be over.
            refusal = CredentialsRefused(f"the server refuses the grant ({said})", error="invalid_grant")
            self._note_failure(entry, stored, refusal)
            raise refusal
        now = self._cache.read(self._entry_id)
        if now.entry is not None and now.envelope != stored.envelope:
            # Another process got past the lock, as it can happen on a network file system: that one won.
            if now.entry.access_token != entry.access_token and self._credential.serves(now.entry):
                self._events.adopted(now.entry.identity)
                return now.entry
            if now.entry.refresh_token not in ("", entry.refresh_token):
                return self._exchange(commitment, now.entry, now, attempts)
        ended = self._failures.ended(now.entry or entry, said)
        if now.entry is not None and now.entry.refresh_token == entry.refresh_token:
            # Only the very token that was refused is dropped.
            try:
                self._cache.put(self._entry_id, ended, replaces=now.envelope)
            except (CacheWriteFailed, StoreUnavailable) as unwritten:
                self._events.unwritten(unwritten)
        self._events.session_ended(ended.identity)
        raise self._failures.login_required(ended)

    def _keep_refresh_token(
        self, commitment: Commitment, entry: Entry, stored: Stored, response: TokenResponse, sent_at: float
    ) -> TokenEndpointError:
        """Of an answer whose access token is unusable, store what the next exchange needs, and say what was wrong."""
        error = TokenEndpointError(response.problem, retryable=False)
        kept = entry_from(self._target, entry, response, sent_at)._replace(
            access_token=entry.access_token,
            issued_at=entry.issued_at,
            expires_at=entry.expires_at,
            scopes=entry.scopes,
            proof=entry.proof,
            failure=self._failures.of(error),
        )
        self._save(kept, stored, spent=entry.refresh_token)
        commitment.release()
        self._events.failed(error)
        return error

    def _login(self, commitment: Commitment, stored: Stored, *, switch: bool = False, unasked: bool = False) -> Entry:
        if self._sign_in is None:
            raise self._failures.login_required(stored.entry)
        before = stored.entry or Entry(self._target.about())
        sent_at = time.time()
        try:
            with self._events.login():
                response, who = self._sign_in(commitment, before.identity, switch=switch)
        except Withdrawn:
            self._note_failure(before, stored, self._failures.abandoned())
            raise
        except (LoginFailed, TokenEndpointError, CredentialsRefused) as error:
            self._note_failure(before, stored, error)
            raise
        entry = entry_from(self._target, before._replace(refresh_token="", refused=None), response, sent_at)
        lifetime = self._target.absolute_session_lifetime_in_minutes
        ends_at = sent_at + lifetime * 60 if lifetime else 0.0
        # A person who signs in on purpose has done something about a refused token. One who is asked to has not.
        on_trial = entry.on_trial and unasked
        entry = entry._replace(identity=who, logged_in_at=time.time(), session_ends_at=ends_at, on_trial=on_trial)
        self._save(entry, stored)
        commitment.release()
        self._events.signed_in(who)
        return entry

    # -- entries ------------------------------------------------------------------------------------------------

    def _still_ours(self) -> bool:
        """Whether no other process may have taken over; where nothing can be lost by that, it does not matter."""
        return not self._shares or self._cache.still_locked(self._entry_id)

    def _save(self, entry: Entry, stored: Stored, *, spent: str = "") -> Entry:
        """Make an answer durable. It is the newest there is, so it also supersedes what a broken lock let in.

        Args:
            entry: The answer.
            stored: What it replaces.
            spent: The refresh token that it was bought with, if it was.

        Returns:
            What is stored: the answer, unless another process has stored a newer one meanwhile.

        Raises:
            LoginRequired: The session was signed out of meanwhile, on another host; it is not brought back.
            CacheError: The answer could not be stored. It is kept in this process.
        """
        replaces = stored.envelope
        try:
            while not self._put_patiently(entry, replaces):
                now = self._cache.read(self._entry_id)
                if self._shares and spent:
                    if now.entry is None:
                        break
                    if now.entry.refresh_token != spent and not unsaved.was_given_up(entry, now.entry):
                        return now.entry
                replaces = now.envelope
                if now.entry is not None:
                    entry = entry._replace(generation=max(entry.generation, now.entry.generation + 1))
            else:
                return entry
        except CacheError as error:
            before = spent or (stored.entry.refresh_token if stored.entry is not None else "")
            if before:
                unsaved.keep(self._queue.key, before, entry)
            self._events.failed(error)
            raise
        if self._revoke is not None:
            self._revoke(entry)
        raise self._failures.login_required(None)

    def _put_patiently(self, entry: Entry, replaces: bytes | None) -> bool:
        """Store an answer. A store that is away for a moment is waited for: the answer cannot be had again."""
        until = time.monotonic() + _PATIENCE_TO_SAVE
        while True:
            try:
                return self._cache.put(self._entry_id, entry, replaces=replaces) is not None
            except StoreUnavailable:
                if time.monotonic() > until:
                    raise
            time.sleep(self._timing.first_pause)

    def _note_failure(self, entry: Entry, stored: Stored, error: LakekeyError) -> None:
        """Tell the siblings, so that those who waited do not repeat the attempt in turn."""
        self._events.failed(error)
        noted = entry._replace(failure=self._failures.of(error), generation=entry.generation + 1)
        try:
            self._cache.put(self._entry_id, noted, replaces=stored.envelope)
        except (CacheWriteFailed, StoreUnavailable) as unwritten:
            self._events.unwritten(unwritten)
