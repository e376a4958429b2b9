"""Storing what an exchange or a sign-in has brought: an answer is not handed out before it is durable."""

import time
from collections.abc import Callable

from lakekey.cache.entry import Entry, Stored
from lakekey.errors import CacheError, CacheWriteFailed, LakekeyError, LoginRequired, StoreUnavailable
from lakekey.session import unsaved
from lakekey.session.credential import Credential
from lakekey.session.failures import Failures

_PATIENCE = 20.0  # seconds that an answer is tried to be stored in a store that is away


class Saving:
    """Stores the answers of one credential, and the failures.

    Args:
        credential: Whose entry it is.
        key: The key of its queue.
        revoke: Revokes an entry's tokens at the server, or ``None``.
        shares: Whether another host may spend the same refresh token.
    """

    def __init__(
        self, credential: Credential, key: str, revoke: Callable[[Entry], str] | None, *, shares: bool
    ) -> None:
        self._key = key
        self._revoke = revoke
        self._shares = shares
        self._timing = credential.timing
        self._failures = Failures(credential.target, credential.timing)
        self._events = credential.events
        self._cache = credential.cache
        self._entry_id = credential.entry_id

    def save(self, entry: Entry, stored: Stored, *, spent: str = "") -> Entry:
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
                unsaved.keep(self._key, before, entry)
            self._events.failed(error)
            raise
        if self._revoke is not None:
            self._revoke(entry)
        raise self._failures.login_required(None)

    def save_held(self, stored: Stored) -> Entry:
        """Store the answer that this process holds. Raises as `save`."""
        held = unsaved.get(self._key)
        assert held is not None
        try:
            saved = self.save(held.entry, stored, spent=held.spent)
        except LoginRequired:
            unsaved.drop(self._key)
            raise
        unsaved.drop(self._key)
        self._events.refreshed(saved.identity)
        return saved

    def note_failure(self, entry: Entry, stored: Stored, error: LakekeyError) -> None:
        """Tell the siblings, so that those who waited do not repeat the attempt in turn."""
        self._events.failed(error)
        noted = entry._replace(failure=self._failures.of(error), generation=entry.generation + 1)
        try:
            self._cache.put(self._entry_id, noted, replaces=stored.envelope)
        except (CacheWriteFailed, StoreUnavailable) as unwritten:
            self._events.unwritten(unwritten)

    def _put_patiently(self, entry: Entry, replaces: bytes | None) -> bool:
        """Store an answer. A store that is away for a moment is waited for: the answer cannot be had again."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._cache.put(self._entry_id, entry, replaces=replaces) is not None
            except StoreUnavailable:
                if time.monotonic() > until:
                    raise
            time.sleep(self._timing.first_pause)
