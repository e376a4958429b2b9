"""The steps of a hosted sign-in (RFC 6749 §4.1), on which the portal and `lakekey.web.halves` are built.

What begins is bound to a browser and to a user, and both are checked at the end. Between the answer's arrival and its
exchange lies a page of ours, so the callback does not need the host application's own session.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.configuration.layers import ARGUMENT, PROFILE
from lakekey.configuration.target import U2M, Target, resolve
from lakekey.errors import CacheError, ConfigurationError
from lakekey.oauth import authorization_code
from lakekey.oauth.authorization_answer import read_answer
from lakekey.observability import audit
from lakekey.session.assembly import client_of
from lakekey.web import browser as browsers
from lakekey.web import flow_checks, flows, outcomes
from lakekey.web.flows import Flow, FlowStore
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User
from lakekey.web.redemption import Redemption


class Received(NamedTuple):
    """What became of an authorization answer that arrived.

    Attributes:
        handle: What the second step is known by; ``""`` where there is none.
        outcome: Why there is none; ``None`` where there is one.
    """

    handle: str
    outcome: Outcome | None


class SignIns:
    """Sign-ins of many users, kept in one store.

    Args:
        cache: The store; ``None`` for the one that the environment names.
        environ: The environment; ``None`` for this process's.
        clock: Seconds since the epoch; ``None`` for the store's, so that hosts whose clocks differ agree.
    """

    def __init__(
        self,
        cache: Cache | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self.cache = cache or open_cache(self.environ)
        self._clock = clock or self.cache.now
        self.flows = FlowStore(self.cache, clock=self._clock)

    def cache_of(self, target: Target) -> Cache | None:
        """The cache of a target's sessions, opened already; ``None`` where its profile names another."""
        names_a_store = target.sources.get("store") in (ARGUMENT, PROFILE)
        is_here = not names_a_store and target.cache_environment(self.environ) is self.environ
        return self.cache if is_here else None

    def begin(
        self,
        target: Target,
        user: User,
        *,
        redirect_uri: str,
        registration: str,
        browser: str,
        return_to: str = "",
        issuer: str | None = None,
    ) -> str:
        """Begin a sign-in.

        Args:
            target: What to sign in to, with ``user`` in it.
            user: Who is at the browser.
            redirect_uri: Where the answer is to come to.
            registration: The name of the app.
            browser: The browser's cookie.
            return_to: The page to go on to at the end.
            issuer: The issuer that the metadata must name, where it was registered.

        Returns:
            Where to send the browser.

        Raises:
            LoginFailed: The authorization server's metadata do not hold, or too many sign-ins are open.
            ConfigurationError, TokenEndpointError, CacheError: As they say.
        """
        client = client_of(target, self.cache)
        metadata = client.discover()
        if (wrong := flow_checks.wrong_metadata(metadata, issuer)) is not None:
            raise Outcome(outcomes.BAD_METADATA, detail=wrong, profile=target.name).to_error()
        state = flows.new_state(user.name, user.id)
        hint = user.name if "@" in user.name else None
        try:
            request = authorization_code.begin(
                client, redirect_uri, login_hint=hint, extras=target.authorize_extras, state=state
            )
        except ValueError as error:
            raise ConfigurationError(
                f"authorize_extras: {error}", hint="authorize_extras = name=value&name=value", profile=target.name
            ) from None
        self.flows.add(
            Flow(
                state=flows.state_digest(state),
                browser=browsers.digest(browser),
                user=user.name,
                user_id=user.id,
                profile=target.profile or "",
                host=target.host,
                registration=registration,
                client_id=target.client_id,
                redirect_uri=redirect_uri,
                verifier=request.pkce.verifier,
                nonce=request.nonce,
                issuer=metadata.issuer,
                iss_expected=metadata.iss_in_response,
                return_to=return_to,
                expires_at=self._clock() + flows.LIFETIME,
            )
        )
        return request.url

    def receive(self, query: str, *, browser: str | None, registration: str) -> Received:
        """Take an authorization answer: check whose it is, and keep it for the second step. Nothing is sent.

        Args:
            query: The query of the callback's address, as it came.
            browser: The browser's cookie, or ``None`` where it sent none.
            registration: The app whose callback it came to.

        Raises:
            CacheError: The store cannot be reached; the same address may be tried again.
        """
        answer = read_answer(query)
        handle = flows.handle_of_state(answer.get("state", "")) if answer is not None else None
        if answer is None or handle is None:
            return Received("", Outcome(outcomes.UNKNOWN))
        flow = self.flows.find(handle)
        if flow is None:
            # Its row may never have been, or have gone after ten minutes: nothing is known of whose it was.
            return Received("", Outcome(outcomes.NO_COOKIE if browser is None else outcomes.LATE))
        if (refused := flow_checks.not_of(flow, browser, registration, answer)) is not None:
            _log.warning("web", "an answer for %s was refused: %s", flow.profile or flow.host, refused.code)
            audit.record(
                audit.SIGN_IN, environ=self.environ, outcome=audit.REFUSED, detail=refused.code, who=flow.user,
                workspace=flow.host, profile=flow.profile, store=self.cache.store.where,
            )  # fmt: skip
            return Received("", refused)

        def take(now: Flow) -> Flow:
            # A second answer under the same state changes nothing: the first is the one that counts.
            if now.stage != flows.OPEN:
                return now
            return now._replace(stage=flows.ANSWERED, since=self._clock(), answer=answer)

        self.flows.change(handle, take)
        return Received(handle, None)

    def finish(
        self,
        handle: str,
        *,
        browser: str | None,
        user: User,
        target_of: Callable[[Flow], Target],
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> Outcome:
        """Take the second step: exchange the code, verify who signed in, and store the connection.

        Args:
            handle: What `receive` returned.
            browser: The browser's cookie.
            user: Who is at the browser now.
            target_of: What a sign-in signs in to.
            later: Takes what is left to do of a connection that is stored, to be called when the person has been
                told; ``None``: it is done at once.

        Raises:
            CacheError: The store cannot be reached; nothing was sent, and the same step may be tried again.
        """
        flow = self.flows.find(handle)
        if (refused := flow_checks.not_theirs(flow, browser, user)) is not None:
            return refused
        assert flow is not None
        if flow.stage == flows.DONE:
            return _outcome_of(flow)  # also where its profile is gone since
        redemption = self._redemption(target_of(flow), flow, user)  # before anything is taken: it needs the profile
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
            left = self.flows.change(handle, take)
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

        now = self.flows.change(handle, ended) if self._is_dead(flow) else flow
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
        flow = self.flows.find(handle)
        if (refused := flow_checks.not_theirs(flow, browser, user)) is not None:
            return refused
        assert flow is not None
        redemption = self._redemption(target_of(flow), flow, user)
        tokens: dict[str, Any] | None = None

        def take(now: Flow) -> Flow:
            nonlocal tokens
            tokens = now.tokens if now.stage == flows.ASKING or self._is_dead(now) else None
            # They stay in the row until they are settled, which can be done again; no later write has to succeed.
            return now if tokens is None else now._replace(stage=flows.REDEEMING, since=self._clock())

        now = self.flows.change(handle, take)
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

    def _redemption(self, target: Target, flow: Flow, user: User) -> Redemption:
        return Redemption(target, self.environ, flow, user, cache=self.cache_of(target))

    def _ask_again(self, handle: str) -> None:
        try:
            self.flows.change(handle, lambda now: now._replace(stage=flows.ASKING, since=self._clock()))
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
                self.flows.change(handle, note)
            except CacheError as error:
                # What counts is stored, or was told; a reload looks at the connection, or says that it was interrupted.
                _log.warning("web", "the outcome of a sign-in could not be kept: %s", error.message)

        if later is not None and outcome.code == outcomes.CONNECTED:
            later(write)
        else:
            write()
        return outcome


def hosted_target(profile: str | None, user: User, environ: Mapping[str, str], **settings: Any) -> Target:
    """What a user's sign-in signs in to: the very target that ``lakekey.provider(profile, user=…)`` has.

    Raises:
        ConfigurationError: A setting is missing or wrong, or no person signs in with it.
    """
    target = resolve(profile, environ, user=user.name, **settings)
    if not target.is_person:
        raise ConfigurationError(
            f"auth_type is {target.auth_type}, which signs no person in", hint=f"set auth_type = {U2M}",
            profile=target.name,
        )  # fmt: skip
    return target


def _outcome_of(flow: Flow) -> Outcome:
    """What there is to say of a sign-in that another request has taken."""
    if flow.stage == flows.REDEEMING:
        return Outcome(outcomes.BUSY, profile=flow.profile)
    return Outcome.from_fields(flow.outcome) if flow.outcome else Outcome(outcomes.UNKNOWN, profile=flow.profile)
