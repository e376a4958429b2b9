"""A clock and an authorization server of a few lines, whose state a test can compare with what is stored."""

import contextlib
import itertools
import types
from collections import deque
from collections.abc import Callable, Iterator
from unittest import mock

from lakekey._single_flight import Commitment
from lakekey.cache import refusals
from lakekey.errors import TokenEndpointError
from lakekey.oauth.token_response import InvalidGrant, TokenResponse
from lakekey.providers import background_renewal, hot_path
from lakekey.session import credential as credential_module
from lakekey.session import entry_queue, exchange, failures, renewal, saving

DAY = 86400.0


class Clock:
    """True time, and what a machine makes of it.

    Attributes:
        true: Seconds that cannot be stepped or suspended; the server's.
        step: What the machine's wall clock is off.
        suspended: How long the machine has slept, which its monotonic clock has not noticed.
    """

    def __init__(self) -> None:
        self.true = 1_700_000_000.0
        self.step = 0.0
        self.suspended = 0.0

    def time(self) -> float:
        """The machine's wall clock."""
        return self.true + self.step

    def monotonic(self) -> float:
        """The machine's monotonic clock, as Linux has it: it stands still in a suspended machine."""
        return self.true - self.suspended

    def sleep(self, seconds: float) -> None:
        """A thread of the machine pauses."""
        self.true += seconds

    def suspend(self, seconds: float) -> None:
        """The machine sleeps."""
        self.true += seconds
        self.suspended += seconds

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Within it the session and its providers go by this clock, and background work is done at once."""
        mine = types.SimpleNamespace(time=self.time, monotonic=self.monotonic, sleep=self.sleep)
        with contextlib.ExitStack() as stack:
            for module in (hot_path, credential_module, entry_queue, exchange, saving, refusals, renewal, failures):
                stack.enter_context(mock.patch.object(module, "time", mine))
            stack.enter_context(mock.patch.object(hot_path, "_time", self.time))
            stack.enter_context(mock.patch.object(hot_path, "_monotonic", self.monotonic))
            stack.enter_context(mock.patch.object(background_renewal, "submit", lambda _, job: job()))
            yield


class ModelServer:
    """An authorization server; as a grant it is asked without a network in between.

    Attributes:
        needs_person: A session begins with a sign-in.
        lifetime: Seconds that access tokens live.
        rotation: ``single-use`` with reuse detection, ``reusable``, or ``omitted``: no answer has a refresh token.
        trouble: What becomes of the next requests: ``unavailable`` (nothing was processed), ``lost`` (it was, and the
            answer is not received), ``unusable`` (its access token cannot be used), ``fine``.
        sent: The refresh tokens that came, oldest first.
        spent_sent: How many of them were spent already.
        on_request: Called while a request is under way.
    """

    needs_person = True

    def __init__(self, clock: Clock, lifetime: float = 3600.0) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._states: dict[str, str] = {}
        self._families: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self.lifetime = lifetime
        self.rotation = "single-use"
        self.trouble: deque[str] = deque()
        self.sent: list[str] = []
        self.spent_sent = 0
        self.on_request: Callable[[], object] = lambda: None

    # What a test looks at and does

    def state(self, refresh_token: str) -> str:
        """``current``, ``spent`` or ``revoked``."""
        return self._states[refresh_token]

    def lives(self, access_token: str) -> bool:
        """Whether the workspace would still take it."""
        return self._clock.true < self._ends[access_token]

    def revoke_all(self) -> None:
        """Ends all sessions."""
        self._states = dict.fromkeys(self._states, "revoked")

    def sign_in(
        self, _: Commitment, held: str | None = None, *, switch: bool = False
    ) -> tuple[TokenResponse, str | None]:
        """A person signs in (`lakekey.session.renewal.SignIn`)."""
        return self._issue(self._new_refresh_token(next(self._numbers))), "ada@example.com"

    # The grant

    def prepare(self) -> None:
        """See `lakekey.oauth.grants.Grant`."""

    def renew(self, refresh_token: str, *, deadline: float) -> TokenResponse:
        """See `lakekey.oauth.grants.Grant`."""
        self.sent.append(refresh_token)
        self.on_request()
        trouble = self.trouble.popleft() if self.trouble else "fine"
        if trouble == "unavailable":
            raise TokenEndpointError("the model is not available", status=503)
        response = self._refresh(refresh_token)
        if trouble == "lost":
            raise TokenEndpointError("the model's answer was lost")
        if trouble == "unusable" and response.refresh_token is not None:
            return response._replace(access_token="", problem="the model answers nonsense")
        return response

    def _refresh(self, refresh_token: str) -> TokenResponse:
        state = self._states[refresh_token]
        if state == "spent":
            self.spent_sent += 1
            family = self._families[refresh_token]
            for token in self._states:
                if self._families[token] == family:
                    self._states[token] = "revoked"
        if state != "current":
            raise InvalidGrant("Refresh token is invalid")
        if self.rotation == "reusable":
            return self._issue(refresh_token)
        if self.rotation == "omitted":
            return self._issue(None)
        self._states[refresh_token] = "spent"
        return self._issue(self._new_refresh_token(self._families[refresh_token]))

    def _new_refresh_token(self, family: int) -> str:
        token = f"refresh-{next(self._numbers)}"
        self._states[token], self._families[token] = "current", family
        return token

    def _issue(self, refresh_token: str | None) -> TokenResponse:
        access_token = f"access-{next(self._numbers)}"
        self._ends[access_token] = self._clock.true + self.lifetime
        return TokenResponse(access_token, self.lifetime, refresh_token, None, None)
