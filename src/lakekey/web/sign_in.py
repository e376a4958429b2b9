"""A hosted sign-in (RFC 6749 §4.1) up to the answer's arrival, on which the portal and `lakekey.web.halves` are built.

What begins is bound to a browser and to a user, and both are checked at the end. Between the answer's arrival and its
exchange lies a page of ours, so the callback does not need the host application's own session.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lakekey import _log
from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.configuration.layers import ARGUMENT, PROFILE, read_layers
from lakekey.configuration.target import U2M, Target, target_of
from lakekey.errors import ConfigurationError
from lakekey.oauth import authorization_code
from lakekey.oauth.authorization_answer import read_answer
from lakekey.observability import audit
from lakekey.session.assembly import client_of
from lakekey.web import browser as browsers
from lakekey.web import flow_checks, flows, outcomes
from lakekey.web.flows import Flow, FlowStore
from lakekey.web.one_connection import OneConnection
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User
from lakekey.web.second_step import SecondStep


class Received(NamedTuple):
    """What became of an authorization answer that arrived.

    Attributes:
        handle: What the second step is known by; ``""`` if there is none.
        outcome: Why there is none; ``None`` if there is one.
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
        self.second_step = SecondStep(self.flows, self.environ, clock=self._clock, cache_of=self.cache_of)

    def cache_of(self, target: Target) -> Cache | None:
        """The cache of a target's sessions, opened already; ``None`` if its profile names another."""
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
        connection: OneConnection | None = None,
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
            connection: What the store is asked on already; it is given up if the network has to be asked.

        Returns:
            Where to send the browser.

        Raises:
            LoginFailed: The authorization server's metadata do not hold, or too many sign-ins are open.
            ConfigurationError, TokenEndpointError, CacheError: As they say.
        """
        connection = connection or OneConnection(self.cache)
        client = client_of(target, self.cache, before_asking=connection.give_up)
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
            browser: The browser's cookie, or ``None`` if it sent none.
            registration: The app whose callback it came to.

        Raises:
            CacheError: The store cannot be reached; the same address may be tried again.
        """
        with OneConnection(self.cache):
            return self._receive(query, browser, registration)

    def _receive(self, query: str, browser: str | None, registration: str) -> Received:
        answer = read_answer(query)
        handle = flows.handle_of_state(answer.get("state", "")) if answer is not None else None
        if answer is None or handle is None:
            return Received("", Outcome(outcomes.UNKNOWN))
        flow, row = self.flows.look(handle)
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

        self.flows.change(handle, take, seen=row)
        return Received(handle, None)


def hosted_target(
    profile: str | None,
    user: User,
    environ: Mapping[str, str],
    *,
    registered: Callable[[], Sequence[AppRegistration]] | None = None,
    **settings: Any,
) -> Target:
    """What a user's sign-in signs in to: the very target that ``lakekey.provider(profile, user=…)`` has.

    Args:
        profile: What is signed in to.
        user: Who signs in.
        environ: The environment.
        registered: Gives the apps of the store that the environment names; ``None`` to open that store for them.
        **settings: As for `lakekey.provider`.

    Raises:
        ConfigurationError: A setting is missing or wrong, or no person signs in with it.
    """
    layers = read_layers(profile, environ, {"user": user.name, **settings})
    layers.registered = registered
    target = target_of(layers, environ)
    if not target.is_person:
        raise ConfigurationError(
            f"auth_type is {target.auth_type}, which signs no person in", hint=f"set auth_type = {U2M}",
            profile=target.name,
        )  # fmt: skip
    return target
