"""Signing in by the SDK's own strategies: personal access tokens, the clouds' identities, the metadata service, ….

The SDK keeps and renews what it gets; nothing of it enters our cache. What it runs meanwhile (logging handlers,
finalizers, programs) may ask for a header again: inside such a call the answer is an error at once, and other threads
wait for no longer than `LONGEST_WAIT`.
"""

import contextlib
import copy
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from lakekey import _log
from lakekey._commitment import Latch
from lakekey._imports import LOADING, amid_locked_step, holds_a_lock, importing, libraries
from lakekey._renewal_imports import cannot_wait
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired, TokenEndpointError
from lakekey.oauth import jwt
from lakekey.providers.sdk_calls import call_of, is_inside_call_of
from lakekey.providers.sdk_settings import SdkSettings, where_it_leads
from lakekey.providers.sources import Headers, SecondChances, credentials_of
from lakekey.providers.token import Token
from lakekey.providers.unattended import announce
from lakekey.session.expiry import TRIAL
from lakekey.session.failures import Failures

if TYPE_CHECKING:
    from databricks.sdk.core import Config

    from lakekey.providers.session_ending import SessionEnding

T = TypeVar("T")

LONGEST_WAIT = 120.0  # seconds for another thread's attempt, which may run a program and ask a service
_ONE = "attempt"
_IMPORTS = frozenset(("databricks",))  # what the SDK needs beside a renewal's modules


class _Strategy:
    """A built strategy.

    Attributes:
        config: The SDK's ``Config``, which holds it.
        dropped: Whether it is no longer to be used; set once, and read by all threads without a lock.
    """

    def __init__(self, config: "Config") -> None:
        self.config = config
        self.headers: Any = config._header_factory  # noqa: SLF001 - what Config.authenticate() calls, unwrapped
        self.dropped = False


class _Attempt:
    """One attempt to build the strategy, which other threads wait for and share."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.finished = Latch()
        self.error: LakekeyError | None = None


class SdkStrategy:
    """A `lakekey.providers.sources.TokenSource` over a strategy of databricks-sdk.

    Args:
        target: What it signs in to.
        patience: Seconds that a thread waits while another one builds the strategy.
    """

    def __init__(self, target: Target, *, patience: float = LONGEST_WAIT) -> None:
        self.target = target
        self._patience = patience
        self._settings = SdkSettings(target)
        self._strategy: _Strategy | None = None
        self._attempts: dict[str, _Attempt] = {}  # one at most; `setdefault` decides whose, in one atomic operation
        # A refused token, what replaced it, and until when that is not replaced in turn, by the monotonic clock.
        self._trial = ("", "", 0.0)
        self._chances = SecondChances()

        def headers() -> Headers:
            return dict(self._call(self._built().headers))

        self.headers = headers

    @property
    def is_fresh(self) -> bool:
        """See `TokenSource.is_fresh`: the SDK does not tell."""
        return False

    def located(self) -> Target:
        """See `TokenSource.located`: the workspace of an Azure resource has an address that Azure knows."""
        if not self.target.host:
            self._built()
        return self.target

    def sdk_headers(self) -> Any:
        """See `TokenSource.sdk_headers`: the strategy itself, with its own errors."""
        with libraries():
            from databricks.sdk.credentials_provider import OAuthCredentialsProvider

        strategy = self._built().headers

        def headers() -> Headers:
            found: Headers = self._inside(strategy)
            return found

        if not isinstance(strategy, OAuthCredentialsProvider):
            return headers
        return OAuthCredentialsProvider(headers, lambda: self._inside(strategy.oauth_token))

    def unattended_headers(self) -> Headers:
        """See `TokenSource.unattended_headers`: no person signs in."""
        return self.headers()

    def token(self) -> Token:
        """The current access token. One that never ends, or whose end is not known, ends in the year 9999.

        Raises:
            ConfigurationError: The strategy has none: user name and password.
            LakekeyError: There is none to be had.
        """
        with LOADING:
            from datetime import UTC, datetime

            from lakekey import _moments

        scheme, _, token = self.headers().get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise ConfigurationError(
                f"{self.target.auth_type} signs requests with something other than an access token",
                hint="use headers()",
                profile=self.target.name,
            )
        ends = jwt.ends_at(jwt.claims(token) or {})
        forever = datetime(9999, 1, 1, tzinfo=UTC)  # not the very last moment: east of Greenwich that does not exist
        expires_at = _moments.utc(ends) if ends is not None else forever
        return Token(token, "Bearer", expires_at, ())

    def login(self, *, switch: bool) -> None:  # noqa: ARG002 - the strategy alone knows who it is
        """See `TokenSource.login`: the strategy is built again."""
        self._drop()

    def logout(self) -> bool:
        """See `TokenSource.logout`: what is held in memory is dropped, and the cache holds nothing of it."""
        self._drop()
        return False

    def invalidate(self, access_token: str, *, ask: bool) -> bool:  # noqa: ARG002 - no person signs in
        """Report that a server refused a token: the strategy is built again, and with it its token.

        The new token is on trial, as `Provider.invalidate` says, in this process.

        Returns:
            Whether there is another token now.

        Raises:
            LoginRequired: It is the same token again, and nothing but another configuration can help.
        """
        strategy = self._built()
        if self._held() != access_token:
            return True
        replaced, replacement, until = self._trial
        on_trial = replacement == access_token and time.monotonic() < until
        if on_trial and not self._chances.take(access_token, on_trial=on_trial):
            if replaced == access_token:
                raise self._no_other()
            return False
        strategy.dropped = True
        found = self._held()
        self._trial = (access_token, found, time.monotonic() + TRIAL)
        if found == access_token:
            raise self._no_other()
        return True

    def _held(self) -> str:
        """The token of the headers, as they are now."""
        return credentials_of(self.headers())

    def _no_other(self) -> LoginRequired:
        return LoginRequired(
            f"the server refused the token, and {self.target.auth_type} has no other",
            hint=f"renew what {self.target.auth_type} signs in with",
            profile=self.target.name,
        )

    def served(self, access_token: str) -> None:
        """See `TokenSource.served`."""
        self._chances.served(access_token)

    def identity(self) -> None:
        """See `TokenSource.identity`: the strategies do not tell."""
        return

    def needs_login(self) -> bool:
        """See `TokenSource.needs_login`: no person signs in."""
        return False

    def stored(self) -> None:
        """See `TokenSource.stored`: nothing."""
        return

    def on_session_ending(self, callback: "Callable[[SessionEnding], None]") -> None:
        """See `TokenSource.on_session_ending`: no session ends."""

    # -- calling the SDK ----------------------------------------------------------------------------------------

    def _call(self, work: Callable[[], T]) -> T:
        """Call the SDK; what it raises becomes an error of ours."""
        try:
            return self._inside(work)
        except LakekeyError as error:
            error.profile = error.profile or self.target.name
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises ValueError, OSError, and its dependencies' own
            kind = ConfigurationError if isinstance(error, ValueError) else TokenEndpointError
            said = f"{self.target.auth_type}: {self._settings.redacted(error)}"
        # Raised out here: the SDK's exception hangs on requests that hold secrets.
        raise kind(said, hint=f"run: {self.target.doctor_command}", profile=self.target.name)

    def _inside(self, work: Callable[[], T]) -> T:
        """Call the SDK, unless this is code that such a call runs: the SDK's locks would wait for themselves."""
        if is_inside_call_of(self) or amid_locked_step():
            self._refuse_to_wait()  # the SDK may start a thread
        with call_of(self):
            return work()

    def _refuse_to_wait(self) -> NoReturn:
        raise Failures(self.target).busy()

    # -- building the strategy ----------------------------------------------------------------------------------

    def _built(self) -> _Strategy:
        """The strategy; built by one thread for all."""
        until = time.monotonic() + self._patience
        while True:
            strategy = self._strategy
            if strategy is not None and not strategy.dropped:
                return strategy
            mine = _Attempt()
            attempt = self._attempts.setdefault(_ONE, mine)
            if attempt is mine:
                return self._attempt(mine)
            if attempt.process == os.getpid():  # else a forked child has the parent's, but not the thread
                self._wait(attempt, until)
            self._remove(attempt)

    def _wait(self, attempt: _Attempt, until: float) -> None:
        if is_inside_call_of(self) or holds_a_lock() or cannot_wait() or importing(_IMPORTS):
            self._refuse_to_wait()
        if not attempt.finished.wait(max(0.0, until - time.monotonic())):
            self._remove(attempt)  # its thread may be gone: an interruption can strike between any two steps
            raise Failures(self.target).overdue(self._patience)
        if attempt.error is not None:
            raise copy.copy(attempt.error)  # each caller's traceback is its own

    def _attempt(self, attempt: _Attempt) -> _Strategy:
        reports: list[str] = []
        try:
            strategy = self._strategy = _Strategy(self._call(lambda: self._build(reports)))
        except LakekeyError as error:
            attempt.error = error
            raise
        finally:
            self._remove(attempt)
            attempt.finished.open()
            # When no thread waits any more: a handler may need what a waiting thread holds, or raise.
            with contextlib.suppress(Exception):
                for report in reports:
                    _log.warning("delegated", "%s: %s", self.target.name, report)
        with contextlib.suppress(Exception):
            announce(self.target, None)
        return strategy

    def _remove(self, attempt: _Attempt) -> None:
        if self._attempts.get(_ONE) is attempt:
            self._attempts.pop(_ONE, None)

    def _drop(self) -> None:
        if self._strategy is not None:
            self._strategy.dropped = True

    def _build(self, reports: list[str]) -> "Config":
        built = self._settings.config(self.target, reports)
        self.target = where_it_leads(self.target, built)
        return built
