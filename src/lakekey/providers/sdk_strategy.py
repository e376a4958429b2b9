"""Signing in by the SDK's own strategies: personal access tokens, the clouds' identities, the metadata service, ….

The SDK keeps and renews what it gets; nothing of it enters our cache.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired, TokenEndpointError
from lakekey.oauth.jwt import claims
from lakekey.providers.provider import HeaderFactory, Headers, Provider, Token
from lakekey.session.expiry import TRIAL

if TYPE_CHECKING:
    from databricks.sdk.core import Config

# Bounds on the SDK's probe of the host, which otherwise may take five minutes.
_PATIENCE = {"http_timeout_seconds": 30, "retry_timeout_seconds": 30}


class DelegatedProvider(Provider):
    """A provider whose headers come from a strategy of databricks-sdk.

    Args:
        target: What it signs in to.
    """

    def __init__(self, target: Target) -> None:
        self._guard = threading.Lock()
        self._guards_in = os.getpid()
        self._config: Config | None = None
        # A refused token, what replaced it, and until when that is not replaced in turn, by the monotonic clock.
        self._trial = ("", "", 0.0)
        super().__init__(target)

    @property
    def target(self) -> Target:
        """What it signs in to. Where Azure alone knows the workspace's address, the first look at it asks.

        Raises:
            LakekeyError: It cannot be found.
        """
        if not self._target.host and self._config is None:
            self._strategy()
        return self._target

    @target.setter
    def target(self, target: Target) -> None:
        self._target = target

    def __repr__(self) -> str:
        return f"<lakekey.Provider {self._target.name}: {self._target.auth_type} at {self._target.host or 'Azure'}>"

    def auth_type(self) -> str:
        """See `Provider.auth_type`."""
        return self._target.auth_type

    def __reduce__(self) -> tuple[Any, ...]:
        return DelegatedProvider, (self._target,)

    def __call__(self, cfg: Any = None) -> Any:
        """See `Provider.__call__`."""
        return self._factory if cfg is None else self._strategy()

    def token(self) -> Token:
        """The current access token. One that never ends, or whose end is not known, ends in the year 9999.

        Raises:
            ConfigurationError: The strategy has none: user name and password.
            LakekeyError: There is none to be had.
        """
        with LOADING:
            from datetime import UTC, datetime

        scheme, _, token = self.headers().get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise ConfigurationError(
                f"{self._target.auth_type} signs requests with something else than an access token",
                hint="use headers()",
                profile=self._target.name,
            )
        ends = (claims(token) or {}).get("exp")
        forever = datetime(9999, 1, 1, tzinfo=UTC)  # not the very last moment: east of Greenwich there is none such
        expires_at = datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) else forever
        return Token(token, "Bearer", expires_at, ())

    def login(self, *, switch: bool = False) -> Token:  # noqa: ARG002 - the strategy alone knows who it is
        """Build the strategy anew, and get a token by it."""
        self._forget()
        return self.token()

    def logout(self) -> bool:
        """Drop what is held in memory. Returns ``False``: the cache holds nothing of it."""
        self._forget()
        return False

    def invalidate(self, access_token: str) -> bool:
        """Report that a server refused a token: the strategy is built again, and with it its token.

        The token that comes of it is on trial, as `Provider.invalidate` has it, in this process.

        Returns:
            Whether there is another token now.

        Raises:
            LoginRequired: It is the same token again, and nothing but another configuration can help.
        """
        self._strategy()
        config = self._config
        if self._held() != access_token:
            return True
        replaced, replacement, until = self._trial
        on_trial = replacement == access_token and time.monotonic() < until
        if on_trial and not self._second_chance(access_token, on_trial):
            if replaced == access_token:
                raise self._no_other()
            return False
        self._forget(config)
        found = self._held()
        self._trial = (access_token, found, time.monotonic() + TRIAL)
        if found == access_token:
            raise self._no_other()
        return True

    def _held(self) -> str:
        """The token of the headers, as they are now."""
        return self.headers().get("Authorization", "").partition(" ")[2]

    def _no_other(self) -> LoginRequired:
        return LoginRequired(
            f"the server refused the token, and {self._target.auth_type} has no other",
            hint=f"renew what {self._target.auth_type} signs in with",
            profile=self._target.name,
        )

    def identity(self) -> str | None:
        """``None``: the strategies do not tell."""
        return None

    def _make_factory(self) -> HeaderFactory:
        def factory() -> Headers:
            headers: Headers = dict(self._said(self._strategy()))
            return headers

        return factory

    def _said(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except LakekeyError as error:
            error.profile = error.profile or self._target.name
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises ValueError, OSError, and its dependencies' own
            kind = ConfigurationError if isinstance(error, ValueError) else TokenEndpointError
            said = f"{self._target.auth_type}: {self._redacted(error)}"
        # Raised out here: the SDK's exception hangs on requests that hold secrets.
        raise kind(said, hint=f"run: {self._target.doctor_command}", profile=self._target.name)

    def _strategy(self) -> Any:
        config = self._config
        if config is None:
            if self._guards_in != os.getpid():  # a forked child's own: the parent's may have been taken at the fork
                self._guard, self._guards_in = threading.Lock(), os.getpid()
            with self._guard:  # one attempt for all threads: it may run a program, or ask a service
                if self._config is None:
                    self._config = self._said(self._build)
                    self._announce(None)
                config = self._config
        return config._header_factory  # noqa: SLF001 - what Config.authenticate() calls, unwrapped

    def _build(self) -> "Config":
        with LOADING:
            from lakekey.providers.sdk_config import config_class
        try:
            config = config_class(self._target)
        except ImportError:
            raise ConfigurationError(
                f"{self._target.auth_type} needs databricks-sdk", hint="pip install 'lakekey[sdk]'"
            ) from None
        target = self._target
        # profile="": what was resolved counts, and the SDK must not read the file once more.
        settings: dict[str, Any] = {"profile": "", **_PATIENCE, **self._settings()}
        if "scopes" in target.sources:
            settings["scopes"] = list(target.scopes)
        built = config(host=target.host or None, auth_type=target.auth_type, group_id=target.group_id, **settings)
        if not target.host:
            self._target = target.at(normalize_host(built.host, target.profile, "by Azure"))
        return built

    def _settings(self) -> Mapping[str, str]:
        """What the strategy reads, with the secrets that `pickle` left behind found anew."""
        target = self._target
        left_behind = [
            name
            for name, setting in SETTINGS.items()
            if setting.secret and name in target.sources and setting.delegated and name not in target.sdk_settings
        ]
        if not left_behind:
            return target.sdk_settings
        with LOADING:
            from lakekey.configuration.unpickled import resolved_here

        for here in resolved_here(target):
            if all(name in here.sdk_settings for name in left_behind):
                return {**here.sdk_settings, **target.sdk_settings}
        raise ConfigurationError(
            f"{' and '.join(left_behind)} of this provider is not here: pickling leaves it behind",
            hint="set it in the environment here, or give the profile to this machine",
            profile=target.name,
        )

    def _forget(self, refused: "Config | None" = None) -> None:
        """Drop the strategy; where one is named, only that one: another thread may have built the next already."""
        with self._guard:
            if refused is None or self._config is refused:
                self._config = None

    def _redacted(self, error: Exception) -> str:
        # The SDK appends the whole configuration to what went wrong.
        text = str(error).partition(". Config: ")[0].partition(". Env: ")[0] or type(error).__name__
        for name, value in self._target.sdk_settings.items():
            if len(value) > 3 and name not in ("cloud", "azure_environment"):
                text = text.replace(value, f"[{name}]")
        return text[:400]
