"""One exchange at the token endpoint, under the entry's lock: the request, its stored answer, and refusals."""

import random
import time

from lakekey._single_flight import Commitment
from lakekey.cache.entry import Entry, Stored
from lakekey.cache.making_way import begun_again
from lakekey.cache.refusals import Refusals
from lakekey.errors import (
    CacheWriteFailed,
    CredentialsRefused,
    StoreUnavailable,
    TokenEndpointError,
)
from lakekey.oauth import deadlines
from lakekey.oauth.grants import Grant
from lakekey.oauth.token_response import InvalidGrant, TokenResponse
from lakekey.session.credential import Credential
from lakekey.session.credential_part import CredentialPart
from lakekey.session.entry_queue import NotYet
from lakekey.session.intent import Guarded, Intent, LeaseLost
from lakekey.session.login_required import login_required
from lakekey.session.saving import Saving
from lakekey.session.spending import Spending, leaves_doubt
from lakekey.session.token_answer import entry_from

_END_REFUSED = "took no note of a session that is over"


class Exchange(CredentialPart):
    """Exchanges what one credential has for new tokens.

    Args:
        credential: Whose entry it is.
        grant: How it is renewed without a person.
        saving: Stores the answers.
        shares: Whether another host may spend the same refresh token.
    """

    def __init__(self, credential: Credential, grant: Grant, saving: Saving, *, shares: bool) -> None:
        super().__init__(credential)
        self._grant = grant
        self._saving = saving
        self._shares = shares
        self._spending = Spending(credential, needed=shares)

    def run(self, commitment: Commitment, entry: Entry, stored: Stored, attempts: int | None = None) -> Entry:
        """One exchange, its answer stored before it is returned.

        Args:
            commitment: The flight's.
            entry: What is exchanged.
            stored: The same as the store has it, read under the lock.
            attempts: How often to try; ``None`` for as often as usual.

        Raises:
            NotYet: Another host may be at it.
            LakekeyError: As `Session.usable` says.
        """
        attempts = attempts or self._timing.attempts
        if (held := self._saving.save_held(entry, stored)) is not None:
            if self._credential.serves(held):
                return held
            entry, stored = held, self._cache.read(self._entry_id)
            if not held.refresh_token:
                raise login_required(self._target, held)
        guard = Guarded(commitment, lambda: self._still_ours(entry))
        # From before the intent is dated, after which others wait for `lakekey.session.intent.OUTCOME_AFTER` seconds.
        deadline = time.monotonic() + self._timing.exchange_deadline
        entry, stored = self._spending.declare(entry, stored)
        since = begun_again(self._cache)
        try:
            response, sent_at = self._send_or_withdraw(guard, entry, stored, attempts, deadline)
        except InvalidGrant as refusal:
            said = refusal.description
        except (TokenEndpointError, CredentialsRefused) as error:
            self._saving.note_failure(self._spending.after_failure(entry, guard), stored, error)
            raise
        else:
            if response.problem:
                raise self._keep_refresh_token(commitment, entry, stored, response, sent_at)
            renewed = self._saving.save(
                entry_from(self._target, entry, response, sent_at),
                stored,
                spent=entry.refresh_token,
                since=since,
            )
            commitment.settled()
            self._events.refreshed(renewed.identity)
            return renewed
        return self._on_invalid_grant(commitment, entry, stored, said, attempts)

    def _send_or_withdraw(
        self, guard: Guarded, entry: Entry, stored: Stored, attempts: int, deadline: float
    ) -> tuple[TokenResponse, float]:
        """Send the request; where anything prevents that before it was sent, the intent is taken back."""
        try:
            return self._send(guard, entry, attempts, deadline)
        except (TokenEndpointError, CredentialsRefused, InvalidGrant):
            raise  # what `run` writes down of these settles the intent, too
        except BaseException as trouble:  # a proxy or a CA file that cannot be used, an interruption, a lost lease
            if not guard.sent and not guard.in_doubt:
                self._spending.withdraw(stored)
            if not isinstance(trouble, LeaseLost):
                raise
        raise NotYet(None)

    def _send(self, commitment: Guarded, entry: Entry, attempts: int, deadline: float) -> tuple[TokenResponse, float]:
        """Send the request until it is answered; only what may help is tried again, and not past the deadline.

        Where hosts share the store, a single-use token that the server may have consumed is not sent again here: that
        is a second presentation, and needs an intent that says so.

        Returns:
            The answer, and when its request was sent.
        """
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
                commitment.answered(doubt=leaves_doubt(error))
                commitment.settled()
                wait = self._timing.first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                wait += error.retry_after or 0.0  # never sooner than asked, and not all hosts at once
                last = not error.retryable or attempt == attempts or time.monotonic() + wait > deadline
                if last or (single_use and commitment.in_doubt):
                    raise
                self._events.retries(error, wait)
            except BaseException:
                commitment.settled()
                raise
            commitment.pause(wait)
        raise AssertionError("unreachable")  # pragma: no cover

    def _on_invalid_grant(
        self, commitment: Commitment, entry: Entry, stored: Stored, said: str, attempts: int
    ) -> Entry:
        """A dead refresh token: go on from a newer one if it was stored, else end the session for all."""
        commitment.settled()
        if not self._grant.needs_person:
            # RFC 6749 §5.2 has this code for any grant; a service principal has no session that could be over.
            refusal = CredentialsRefused(f"the server refuses the grant ({said})", error="invalid_grant")
            self._saving.note_failure(entry, stored, refusal)
            raise refusal
        refusals = Refusals(self._cache.store, _END_REFUSED, patience=0.0)  # no token is lost with it: a few tries do
        while True:
            try:
                now = self._cache.read(self._entry_id)
            except StoreUnavailable:  # which tells neither that the session is over nor that there is a newer token
                self._saving.keep_end(self._failures.ended(entry, said), entry.refresh_token)
                raise
            if now.entry is not None and now.envelope != stored.envelope:
                # Another process got past the lock, as it can happen on a network file system: that one won.
                if now.entry.access_token != entry.access_token and self._credential.serves(now.entry):
                    self._events.adopted(now.entry.identity)
                    return now.entry
                if now.entry.refresh_token not in ("", entry.refresh_token):
                    return self.run(commitment, now.entry, now, attempts)
            ended = self._failures.ended(now.entry or entry, said)
            if now.entry is None or now.entry.refresh_token != entry.refresh_token:
                break  # only the very token that was refused is dropped
            try:
                if self._cache.put(self._entry_id, ended, replaces=now.envelope) is not None:
                    break
                refusals.wait(self._timing.first_pause)  # then look again: the no may be of something newer
            except (CacheWriteFailed, StoreUnavailable) as unwritten:
                self._saving.keep_end(ended, entry.refresh_token)
                self._events.unwritten(unwritten)
                break
        self._events.session_ended(ended.identity)
        raise login_required(self._target, ended)

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
        self._saving.save(kept, stored, spent=entry.refresh_token)
        commitment.settled()
        self._events.failed(error)
        return error

    def _still_ours(self, entry: Entry) -> bool:
        """Whether no other process may have taken over; where nothing can be lost by that, it does not matter."""
        if not self._shares:
            return True
        intent = Intent.in_entry(entry)
        return self._cache.still_locked(self._entry_id) and (intent is None or intent.may_be_acted_on)
