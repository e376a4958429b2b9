"""Exchanging the code, verifying who signed in, and storing the connection: in this order, under the entry's lock.

The lock also shows that the store can be written, before the code, which is single-use, is sent.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry, Stored
from lakekey.cache.refusals import Refusals
from lakekey.configuration.target import Target
from lakekey.errors import (
    CacheError,
    LakekeyError,
    LoginFailed,
    TokenEndpointError,
)
from lakekey.oauth import authorization_code, deadlines, revocation
from lakekey.oauth.authorization_code import AuthorizationRequest
from lakekey.oauth.client import Client
from lakekey.oauth.connections import KeptConnections
from lakekey.oauth.pkce import Pkce
from lakekey.oauth.token_response import TokenResponse
from lakekey.session.assembly import client_of
from lakekey.session.credential import Credential
from lakekey.session.timing import Timing
from lakekey.session.token_answer import entry_from
from lakekey.web import one_connection, outcomes
from lakekey.web.connections import is_of
from lakekey.web.flows import Flow
from lakekey.web.one_connection import OneConnection
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User
from lakekey.web.verification import Signed, Verification

_EXCHANGE_PATIENCE = 30.0
_LOCK_PATIENCE = 30.0
#: The exchange and the question to the workspace go over one connection, and so do sign-ins that follow at once.
_kept = KeptConnections()


class Redemption:
    """The end of one sign-in.

    Args:
        target: What is signed in to.
        environ: The environment.
        flow: The sign-in.
        user: Who is at the browser.
        connection: What the store is asked on; it is given up before anything else is waited for.
        cache: Where it is stored; ``None`` for what target and environment name.
        timing: How long its steps take; ``None`` for the usual.
    """

    def __init__(
        self,
        target: Target,
        environ: Mapping[str, str],
        flow: Flow,
        user: User,
        connection: OneConnection,
        *,
        cache: Cache | None = None,
        timing: Timing | None = None,
    ) -> None:
        credential = Credential(target, cache=cache, environ=environ, timing=timing)
        self._target = target
        self._flow = flow
        self._user = user
        self._connection = connection
        self._cache = credential.cache
        self._timing = credential.timing
        self._entry_id = credential.entry_id
        self._events = credential.events
        self._client: Client = client_of(target, credential.cache, kept=_kept, before_asking=connection.give_up)
        self._verification = Verification(target, self._client, flow, user)

    def redeem(
        self, answer: Mapping[str, str], taken: Callable[[], Mapping[str, str] | None]
    ) -> tuple[Outcome, dict[str, Any] | None] | None:
        """Exchange an answer.

        Args:
            answer: The parameters that came to the callback.
            taken: Takes them, so that no other request sends them; ``None`` if another was first. It is called
                last, when the entry can be written: what is taken is sent, and what is not sent was not taken.

        Returns:
            The outcome; and what `settle` needs, where the person has to be asked first. ``None`` if another
            request was first.

        Raises:
            CacheError: The store cannot be written; nothing was taken or sent.
        """
        if "error" in answer:
            return (outcomes.of_refusal(answer["error"]), None) if taken() is not None else None
        if self._client.client_id != self._flow.client_id:
            changed = Outcome(outcomes.NOT_ACCEPTED, detail="the app registration was changed meanwhile")
            return (changed, None) if taken() is not None else None
        sent = False
        try:
            with self._cache.locked(self._entry_id, patience=_LOCK_PATIENCE, pause=one_connection.pause) as stored:
                if (mine := taken()) is None:
                    return None
                sent = True
                if (connected := self._connected_by_this(stored.entry)) is not None:
                    return connected, None
                return self._under_lock(stored, mine)
        except CacheError as error:
            if not sent:
                raise
            _log.warning("web", "%s: a sign-in could not be stored: %s", self._target.name, error.message)
            return Outcome(outcomes.NOT_STORED), None

    def stored(self) -> Outcome | None:
        """The outcome of a sign-in whose connection is stored, though its row does not say so yet; else ``None``.

        Raises:
            CacheError: The store cannot be read.
        """
        return self._connected_by_this(self._cache.get(self._entry_id))

    def settle(self, tokens: dict[str, Any], *, accept: bool) -> Outcome:
        """Store what was asked about, or give it back. Done twice, it is as if it was done once.

        Args:
            tokens: What `redeem` returned.
            accept: What the person said.

        Raises:
            CacheError: It could not be stored; it can be tried again.
        """
        response = TokenResponse(**{**tokens["response"], "scopes": _tuple(tokens["response"]["scopes"])})
        signed = Signed(**{**tokens["signed"], "names": frozenset(tokens["signed"]["names"])})
        if not accept:
            self._give_back(response)
            return Outcome(outcomes.KEPT, who=signed.name)
        with self._cache.locked(self._entry_id, patience=_LOCK_PATIENCE, pause=one_connection.pause) as stored:
            sent_at = tokens["sent_at"] - self._ahead
            if not self._is_settled(stored.entry, signed, sent_at):
                self._store(stored, response, signed, sent_at)
        return Outcome(outcomes.CONNECTED, who=signed.name)

    @property
    def _ahead(self) -> float:
        """Seconds by which the store's clock is ahead of this machine's."""
        return self._cache.now() - time.time()

    def _is_settled(self, before: Entry | None, signed: Signed, sent_at: float) -> bool:
        """Whether these or newer tokens of that person are stored: a refresh may have spent these since."""
        return (
            before is not None
            and is_of(before, self._user)
            and before.identity == signed.name
            and before.refresh_token != ""
            and before.logged_in_at >= sent_at
        )

    def _connected_by_this(self, before: Entry | None) -> Outcome | None:
        """The outcome, where this sign-in is stored already; its row may have gone back in time with the power."""
        if before is None or before.about.get("sign_in") != self._flow.state or not is_of(before, self._user):
            return None
        return Outcome(outcomes.CONNECTED, who=before.identity) if before.refresh_token else None

    # -- under the entry's lock ---------------------------------------------------------------------------------

    def _under_lock(self, stored: Stored, answer: Mapping[str, str]) -> tuple[Outcome, dict[str, Any] | None]:
        sent_at = time.time()  # as all times of an entry: the cache makes them the store's
        exchanged = self._exchange(answer)
        if isinstance(exchanged, Outcome):
            return exchanged, None
        try:
            signed = self._verification.who(exchanged)
        except LoginFailed:
            self._give_back(exchanged)
            return self._verification.refused(exchanged), None
        if (lacks := self._verification.lacks(exchanged, signed)) is not None:
            self._give_back(exchanged)
            return lacks, None
        if (expected := self._verification.expected_instead(stored.entry, signed)) is not None:
            fields = {
                "response": exchanged._replace(id_token=None)._asdict(),
                "signed": {**signed._asdict(), "names": sorted(signed.names)},
                "sent_at": sent_at + self._ahead,  # for whichever host settles it
            }
            return Outcome(outcomes.ASKS, who=signed.name, expected=expected), fields
        self._connection.hold()
        try:
            self._store(stored, exchanged, signed, sent_at)
        except CacheError:
            self._give_back(exchanged)
            raise
        return Outcome(outcomes.CONNECTED, who=signed.name), None

    def _exchange(self, answer: Mapping[str, str]) -> TokenResponse | Outcome:
        flow = self._flow
        request = AuthorizationRequest("", "", flow.redirect_uri, Pkce(flow.verifier, ""), flow.nonce)
        try:
            if self._client.discover().issuer != flow.issuer:
                return Outcome(outcomes.WRONG_SERVER)
            self._connection.give_up()
            with self._events.login(), deadlines.within(time.monotonic() + _EXCHANGE_PATIENCE):
                return self._sent(request, answer)
        except LakekeyError as error:
            self._events.failed(error)
            return outcomes.of_error(error)

    def _sent(self, request: AuthorizationRequest, answer: Mapping[str, str]) -> TokenResponse:
        deadline = time.monotonic() + _EXCHANGE_PATIENCE
        try:
            return authorization_code.finish(self._client, request, answer, deadline=deadline)
        except TokenEndpointError as error:
            if error.status not in (429, 503):
                raise
            # Turned away before the code was looked at (RFC 6749 §4.1.2 lets it be used once): once more.
            pause = min(error.retry_after or 1.0, 5.0)
        time.sleep(pause)
        return authorization_code.finish(self._client, request, answer, deadline=deadline)

    def _store(self, stored: Stored, response: TokenResponse, signed: Signed, sent_at: float) -> None:
        about = {
            **self._target.description(),
            "portal_user": {"name": self._user.name, "id": self._user.id},
            "signed_in": {"issuer": signed.issuer, "subject": signed.subject},
            "registration": self._flow.registration,
            "sign_in": self._flow.state,
        }
        lifetime = self._target.absolute_session_lifetime_in_minutes
        entry = entry_from(self._target, Entry(about), response, sent_at)._replace(
            identity=signed.name,
            logged_in_at=time.time(),
            session_ends_at=sent_at + lifetime * 60 if lifetime else 0.0,
        )
        refusals = Refusals(
            self._cache.store,
            "took none of the writes of a new token",
            patience=self._timing.store_patience,
            pause=one_connection.pause,
        )
        while self._cache.put(self._entry_id, entry, replaces=stored.envelope) is None:
            refusals.wait(self._timing.first_pause)
            stored = self._cache.read(self._entry_id)  # a lock that did not hold: the newest answer counts
        earlier = stored.entry
        if earlier is not None and earlier.refresh_token and not is_of(earlier, self._user):
            # Of the name's earlier owner, who cannot reach it any more.
            self._connection.give_up()
            at_server = revocation.revoke(self._client, earlier.refresh_token)
            name = self._user.name
            _log.warning("web", "%s: another user of the name %s has lost this connection", self._target.name, name)
            self._events.signed_out(earlier.identity, at_server)
        self._events.signed_in(signed.name)

    def _give_back(self, response: TokenResponse) -> None:
        """What is not kept is not to live on at the server either."""
        self._connection.give_up()
        revocation.revoke(self._client, response.refresh_token or response.access_token)


def _tuple(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if value is not None else None
