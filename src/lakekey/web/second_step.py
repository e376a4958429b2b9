"""The second step of a hosted sign-in: the host application says who is at the browser, and the code is exchanged.

Each stage is taken once, whichever worker or tab asks; what has ended is told again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.configuration.target import Target
from lakekey.errors import CacheError
from lakekey.web import flow_checks, flows, outcomes
from lakekey.web.flows import Flow, FlowStore
from lakekey.web.one_connection import OneConnection
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User
from lakekey.web.redemption import Redemption


class SecondStep:
    """What is done with an answer that has arrived.

    Args:
        flows: The sign-ins.
        environ: The environment.
        clock: Seconds since the epoch.
        cache_of: The cache of a target's sessions, opened already; ``None`` if its profile names another.
    """

    def __init__(
        self,
        flows: FlowStore,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float],
        cache_of: Callable[[Target], Cache | None],
    ) -> None:
        self._flows = flows
        self._environ = environ
        self._clock = clock
        self._cache_of = cache_of

    def finish(
        self,
        handle: str,
        *,
        browser: str | None,
        user: User,
        target_of: Callable[[Flow], Target],
        later: Callable[[Callable[[], None]], None] | None = None,
        connection: OneConnection | None = None,
    ) -> Outcome:
        """Take the second step: exchange the code, verify who signed in, and store the connection.

        Args:
            handle: What `receive` returned.
            browser: The browser's cookie.
            user: Who is at the browser now.
            target_of: What a sign-in signs in to.
            later: Takes what is left to do of a connection that is stored in files, to be called when the person has
                been told; ``None``: it is done at once.
            connection: What the store is asked on; it is given up before anything else is waited for.

        Raises:
            CacheError: The store cannot be reached; nothing was sent, and the same step may be tried again.
        """
        if connection is None:
            with OneConnection(self._flows.cache) as one:
                return self.finish(handle, browser=browser, user=user, target_of=target_of, later=later, connection=one)
        flow, row = self._flows.look(handle)
        if (refused := flow_checks.not_theirs(flow, browser, user)) is not None:
            return refused
        assert flow is not None
        if flow.stage == flows.DONE:
            return _outcome_of(flow)  # also where its profile is gone since
        # Before anything is taken: it needs the profile.
        redemption = self._redemption(target_of(flow), flow, user, connection)
        if flow.stage != flows.ANSWERED:
            return self._standing(handle, flow, redemption)
        answer: dict[str, str] | None = None
        left: Flow | None = None

        def take(now: Flow) -> Flow:
            nonlocal answer
            answer = now.answer if now.stage == flows.ANSWERED else None
            return now if answer is None else now._replace(stage=flows.REDEEMING, since=self._clock(), answer=None)

        def taken() -> dict[str, str] | None:
            nonlocal left
            left = self._flows.change(handle, take, seen=row)
            return answer

        redeemed = redemption.redeem(flow.answer or {}, taken)
        if redeemed is None:
            return Outcome(outcomes.LATE) if left is None else self._standing(handle, left, redemption)
        return self._note(handle, flow, *redeemed, later=later)

    def _standing(self, handle: str, flow: Flow, redemption: Redemption) -> Outcome:
        """What there is to say of a sign-in that another request has taken; the work of a dead one is taken off it."""
        if flow.stage == flows.REDEEMING and (stored := redemption.stored()) is not None:
            return stored._replace(profile=flow.profile or flow.host, return_to=flow.return_to)

        def ended(now: Flow) -> Flow:
            if not self._is_dead(now):
                return now
            if now.tokens is not None:
                return now._replace(stage=flows.ASKING, since=self._clock())
            return now.ended(Outcome(outcomes.INTERRUPTED, profile=now.profile).as_fields())

        now = self._flows.change(handle, ended) if self._is_dead(flow) else flow
        return Outcome(outcomes.LATE) if now is None else _outcome_of(now)

    def _is_dead(self, flow: Flow) -> bool:
        return flow.stage == flows.REDEEMING and self._clock() - flow.since > flows.REDEMPTION

    def answer(
        self, handle: str, *, browser: str | None, user: User, accept: bool, target_of: Callable[[Flow], Target]
    ) -> Outcome:
        """Say whether another person than expected is meant.

        Args:
            handle: The sign-in.
            browser: The browser's cookie.
            user: Who is at the browser.
            accept: Whether the connection is to act as that person.
            target_of: What a sign-in signs in to.

        Raises:
            CacheError: The store cannot be reached; the question stands.
        """
        with OneConnection(self._flows.cache) as connection:
            return self._settled(handle, browser, user, accept=accept, target_of=target_of, connection=connection)

    def _settled(
        self,
        handle: str,
        browser: str | None,
        user: User,
        *,
        accept: bool,
        target_of: Callable[[Flow], Target],
        connection: OneConnection,
    ) -> Outcome:
        flow = self._flows.find(handle)
        if (refused := flow_checks.not_theirs(flow, browser, user)) is not None:
            return refused
        assert flow is not None
        redemption = self._redemption(target_of(flow), flow, user, connection)
        tokens: dict[str, Any] | None = None

        def take(now: Flow) -> Flow:
            nonlocal tokens
            tokens = now.tokens if now.stage == flows.ASKING or self._is_dead(now) else None
            # They stay in the row until they are settled, which can be done again; no later write has to succeed.
            return now if tokens is None else now._replace(stage=flows.REDEEMING, since=self._clock())

        now = self._flows.change(handle, take)
        if now is None:
            return Outcome(outcomes.LATE)
        if tokens is None:
            return self._standing(handle, now, redemption)
        try:
            outcome = redemption.settle(tokens, accept=accept)
        except CacheError:
            self._ask_again(handle)
            raise
        return self._note(handle, flow, outcome, None)

    def _redemption(self, target: Target, flow: Flow, user: User, connection: OneConnection) -> Redemption:
        return Redemption(target, self._environ, flow, user, connection, cache=self._cache_of(target))

    def _ask_again(self, handle: str) -> None:
        try:
            self._flows.change(handle, lambda now: now._replace(stage=flows.ASKING, since=self._clock()))
        except CacheError as error:
            # The question is asked again all the same, after the minute in which this request could be at work.
            _log.warning("web", "a question is put off: %s", error.message)

    def _note(
        self,
        handle: str,
        flow: Flow,
        outcome: Outcome,
        tokens: dict[str, Any] | None,
        *,
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> Outcome:
        outcome = outcome._replace(profile=flow.profile or flow.host, return_to=flow.return_to)
        level = _log.info if outcome.code in (outcomes.CONNECTED, outcomes.ASKS) else _log.warning
        level("web", "%s: sign-in of %s: %s", flow.profile or flow.host, flow.user, outcome.code)

        def note(now: Flow) -> Flow:
            if tokens is None:
                return now.ended(outcome.as_fields())
            return now._replace(stage=flows.ASKING, since=self._clock(), tokens=tokens, outcome=outcome.as_fields())

        def write() -> None:
            try:
                self._flows.change(handle, note)
            except CacheError as error:
                # What counts is stored, or was told; a reload looks at the connection, or says that it was interrupted.
                _log.warning("web", "the outcome of a sign-in could not be kept: %s", error.message)

        # In a store that hosts share, a later write would cost a connection of its own, which is dearer than the wait.
        if later is not None and outcome.code == outcomes.CONNECTED and not self._flows.cache.store.shared:
            later(write)
        else:
            write()
        return outcome


def _outcome_of(flow: Flow) -> Outcome:
    """What there is to say of a sign-in that another request has taken."""
    if flow.stage == flows.REDEEMING:
        return Outcome(outcomes.BUSY, profile=flow.profile)
    return Outcome.from_fields(flow.outcome) if flow.outcome else Outcome(outcomes.UNKNOWN, profile=flow.profile)
