"""Storing the answer of an exchange or a sign-in: no token of it is handed out before it is durable."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lakekey.cache.entry import Entry, Stored
from lakekey.cache.making_way import begun_again, read_or_clear, was_emptied
from lakekey.cache.refusals import Refusals
from lakekey.errors import (
    CacheError,
    CacheWriteFailed,
    KeyUnavailable,
    LakekeyError,
    LockTimeout,
    LoginRequired,
    StoreUnavailable,
    UnsafeCache,
)
from lakekey.session import unsaved
from lakekey.session.credential import Credential
from lakekey.session.credential_part import CredentialPart
from lakekey.session.login_required import login_required

_TRIES = 4
_NOT_THE_SYSTEM = (KeyUnavailable, LockTimeout, StoreUnavailable, UnsafeCache)  # what a moment does not change
_REFUSED = "took none of the writes of a new token"
T = TypeVar("T")


class Saving(CredentialPart):
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
        super().__init__(credential)
        self._key = key
        self._revoke = revoke
        self._shares = shares

    def save(self, entry: Entry, stored: Stored, *, spent: str = "", since: int | None = None) -> Entry:
        """Make an answer durable. It is the newest there is, so it also supersedes what a broken lock let in.

        Args:
            entry: The answer.
            stored: What it replaces.
            spent: The refresh token that was exchanged for it, if one was.
            since: What `begun_again` was before that exchange; ``None``: what it is.

        Returns:
            What is stored: the answer, unless another process has stored a newer one meanwhile.

        Raises:
            LoginRequired: The session was signed out of meanwhile, on another host; it is not brought back.
            CacheError: The answer could not be stored. It is kept in this process.
        """
        patience = self._timing.write_patience if spent and unsaved.get(self._key) is None else 0.0
        try:
            saved = self._written(entry, stored, spent, begun_again(self._cache) if since is None else since, patience)
        except BaseException as error:  # also what a tracer or no memory raises: the spent token is dead all the same
            before = spent or (stored.entry.refresh_token if stored.entry is not None else "")
            if before or entry.logged_in_at:  # what needs no person can be had again
                unsaved.keep(self._key, before, entry)
            if isinstance(error, CacheError):
                self._events.failed(error)
            raise
        if saved is not None:
            return saved
        if self._revoke is not None:
            self._revoke(entry)
        raise login_required(self._target, None)

    def save_held(self, entry: Entry, stored: Stored) -> Entry | None:
        """Store an earlier answer that could not be written, if this process holds one for what is stored.

        Nothing is sent before it is: another answer would be lost as that one almost was.

        Args:
            entry: What is stored: what the answer was exchanged for, or the end of the session, which another host has
                given up since it had no answer; an empty one if there is none, and a sign-in's answer is held.
            stored: The same, as it was read.

        Returns:
            What is stored now, or the end of the session, which need not be; ``None`` if no answer is held for it.

        Raises:
            LoginRequired, CacheError: As `save`.
        """
        held = unsaved.get(self._key)
        if held is None:
            return None
        if held.spent != entry.refresh_token and not unsaved.was_given_up(held.entry, entry):
            unsaved.drop(self._key)
            return None
        is_end = held.entry.refused is not None
        try:
            saved = self.save(held.entry, stored, spent=held.spent)
        except LoginRequired:
            unsaved.drop(self._key)
            raise
        except CacheError:
            if not is_end:
                raise
            return held.entry
        unsaved.drop(self._key)
        # What another host has stored meanwhile stands before a kept end.
        (self._events.refreshed if saved.refused is None else self._events.session_ended)(saved.identity)
        return saved

    def keep_end(self, ended: Entry, spent: str) -> None:
        """Keep in this process that a session is over, which could not be stored; its token is not sent from here.

        Args:
            ended: What should be stored.
            spent: The refresh token that the server has refused.
        """
        unsaved.keep(self._key, spent, ended)

    def note_failure(self, entry: Entry, stored: Stored, error: LakekeyError) -> None:
        """Tell the siblings, so that those who waited do not repeat the attempt in turn."""
        self._events.failed(error)
        noted = entry._replace(failure=self._failures.of(error))
        try:
            self._cache.put(self._entry_id, noted, replaces=stored.envelope)
        except (CacheWriteFailed, StoreUnavailable) as unwritten:
            self._events.unwritten(unwritten)

    def _written(self, entry: Entry, stored: Stored, spent: str, since: int, patience: float) -> Entry | None:
        """Store as `_store`, also where the operating system refuses for a moment: this may be the only copy.

        A program may end with its first error, so it is not told of one that passes. An answer that is held already is
        tried once: what does not pass shall not make each call wait.
        """
        until = time.monotonic() + patience
        while True:
            try:
                return self._store(entry, stored, spent, since)
            except _NOT_THE_SYSTEM:
                raise
            except CacheError:
                if time.monotonic() >= until:
                    raise
            time.sleep(self._timing.first_pause)

    def _store(self, entry: Entry, stored: Stored, spent: str, since: int) -> Entry | None:
        """Store an answer, or find a newer one. Returns what is stored; ``None``: another host has signed out.

        An entry that was damaged meanwhile is not a sign-out, and neither is a store that was emptied.
        """
        may_be_overtaken = self._shares and spent != ""
        replaces, damaged = stored.envelope, False
        until = time.monotonic() + self._timing.store_patience
        refusals = Refusals(self._cache.store, _REFUSED, patience=self._timing.store_patience)
        while (saved := self._put(entry, replaces, until)) is None:
            now = self._patiently(lambda: read_or_clear(self._cache, self._entry_id), until)
            replaces, damaged = now.envelope, damaged or now.damaged
            if now.entry is None:
                if (
                    may_be_overtaken
                    and not damaged
                    and not self._patiently(lambda: was_emptied(self._cache, since), until)
                ):
                    return None
            elif may_be_overtaken and now.entry.refresh_token != spent and not unsaved.was_given_up(entry, now.entry):
                return now.entry
            refusals.wait(self._timing.first_pause)
        return saved

    def _put(self, entry: Entry, replaces: bytes | None, until: float) -> Entry | None:
        """Store an answer, also in the place of what cannot be opened here."""
        tried = 0
        while True:
            tried += 1
            put = partial(self._cache.put, self._entry_id, entry, replaces=replaces)
            try:
                stored = self._patiently(put, until)
            except (CacheWriteFailed, StoreUnavailable):
                raise
            except CacheError as error:
                trouble = error  # a file has come in its place that cannot be read, or the key is not at hand
            else:
                return stored and stored.entry
            cleared = self._patiently(lambda: read_or_clear(self._cache, self._entry_id), until)
            if not cleared.damaged or tried == _TRIES:  # another comes each time
                raise trouble
            replaces = None

    def _patiently(self, ask: Callable[[], T], until: float) -> T:
        """Ask a store that may be away for a moment: the answer that is to be stored cannot be had again."""
        while True:
            try:
                return ask()
            except StoreUnavailable:
                if time.monotonic() > until:
                    raise
            time.sleep(self._timing.first_pause)
