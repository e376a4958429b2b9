"""Spending a refresh token from a store that hosts share: the intent before it, and the outcome after it."""

import time
from typing import TYPE_CHECKING, NoReturn

from lakekey.cache.entry import Entry, Stored
from lakekey.errors import CacheError, LoginRequired, TokenEndpointError
from lakekey.session.credential_part import CredentialPart
from lakekey.session.entry_queue import NotYet
from lakekey.session.intent import REFUSE, Guarded, Intent, unsettled
from lakekey.session.login_required import login_required

if TYPE_CHECKING:
    from lakekey.session.credential import Credential

_TWICE = "the refresh token was sent twice, and neither answer was stored"
_DOUBT = "it is not known whether the refresh token was consumed, and LAKEKEY_UNSETTLED=refuse forbids to send it again"


class Spending(CredentialPart):
    """The intents of one credential.

    Args:
        credential: Whose entry it is.
        needed: Whether intents are needed here; if not, nothing is written or waited for.
    """

    def __init__(self, credential: "Credential", *, needed: bool) -> None:
        super().__init__(credential)
        self._needed = needed
        self._environ = credential.environ

    def declare(self, entry: Entry, stored: Stored) -> tuple[Entry, Stored]:
        """Write the intent to spend an entry's refresh token, under the entry's lock.

        This also proves that the store can be written to, before anything is spent.

        Returns:
            The entry with the intent, and the same as it is stored.

        Raises:
            NotYet: Another holder may be spending it, or has changed the entry.
            LoginRequired: It must not be sent any more.
            CacheError: The intent cannot be stored.
        """
        if not self._needed:
            return entry, stored
        self._refuse_the_past(entry, stored)
        open_intent = Intent.in_entry(entry)
        # What the server does not rotate is not consumed by being sent.
        in_doubt = open_intent is not None and entry.rotates is not False
        if open_intent is not None and in_doubt:
            if open_intent.is_of_the_future:
                self._date_today(entry, stored, open_intent)
            if open_intent.is_waited_for:
                raise NotYet(open_intent.holder)
            if open_intent.resent:
                raise self._end(entry, stored, _TWICE)
            if unsettled(self._environ) == REFUSE:
                raise self._end(entry, stored, _DOUBT)
        intent = Intent.to_spend(entry.refresh_token, resent=in_doubt)
        declared = self._cache.put(
            self._entry_id,
            entry._replace(spending=tuple(intent)),
            replaces=stored.envelope,
            durable=entry.rotates is not False,
        )
        if declared is None or declared.entry is None:
            raise NotYet(None)  # another holder was quicker, or the user has signed out
        return declared.entry, declared

    def after_failure(self, entry: Entry, guard: Guarded) -> Entry:
        """What is left of an intent when an exchange has failed: a doubt, where the token may have been consumed.

        This process has no answer and will get none, so no process has to wait for it.
        """
        if not self._needed:
            return entry
        return _in_doubt(entry) if guard.in_doubt else _taken_back(entry)

    def withdraw(self, stored: Stored) -> None:
        """Take an intent back, since nothing was sent. An earlier doubt stays.

        Where that cannot be stored, others wait for the outcome.
        """
        if not self._needed or stored.entry is None:
            return
        try:
            self._cache.put(self._entry_id, _taken_back(stored.entry), replaces=stored.envelope)
        except CacheError:
            return

    def _date_today(self, entry: Entry, stored: Stored, intent: Intent) -> NoReturn:
        """Let an intent count from now that the store's clock, before it stepped back, dated to the future.

        It would be waited for until then otherwise, or be taken for one whose holder has no answer any more.

        Raises:
            NotYet: Its holder may still be waiting.
            CacheError: That cannot be stored.
        """
        today = entry._replace(spending=tuple(intent._replace(since=time.time())))
        self._cache.put(self._entry_id, today, replaces=stored.envelope)
        raise NotYet(intent.holder)

    def _refuse_the_past(self, entry: Entry, stored: Stored) -> None:
        """Refuse a token of a store that went back in time: its successor was in use already.

        Raises:
            NotYet: The store was healed.
            LoginRequired: It could not be.
        """
        if entry.rotates is False or not self._credential.has_seen_newer(entry):
            return
        if self._cache.heal(self._entry_id, stored):
            raise NotYet(None)
        error = login_required(self._target, None)
        error.message = (
            f"the store {self._cache.store.where} went back in time: this host has seen a newer session than it has "
            "now, so it failed over or was restored, and its refresh token is not sent"
        )
        raise error

    def _end(self, entry: Entry, stored: Stored, why: str) -> LoginRequired:
        ended = self._failures.ended(entry, why)
        if self._cache.put(self._entry_id, ended, replaces=stored.envelope) is None:
            raise NotYet(None)  # something newer has come, such as the answer that was missing
        return login_required(self._target, ended)


def _in_doubt(entry: Entry) -> Entry:
    """The entry, with its intent as one of which no answer will come."""
    intent = Intent.in_entry(entry)
    return entry._replace(spending=None if intent is None else tuple(intent._replace(since=0.0, resent=False)))


def _taken_back(entry: Entry) -> Entry:
    """The entry, with its intent taken back. Another sending stays in doubt."""
    intent = Intent.in_entry(entry)
    return _in_doubt(entry) if intent is not None and intent.resent else entry._replace(spending=None)


def leaves_doubt(error: TokenEndpointError) -> bool:
    """Whether the server may have consumed the token although there is no usable answer.

    A status of 4xx or 5xx is an answer that says no, but for those of a server that broke down over the request and of
    a gateway that got no answer (RFC 9110 §15.6). None at all, or a success that cannot be read, says nothing.
    """
    return error.status is None or error.status < 400 or error.status in (500, 502, 504)
