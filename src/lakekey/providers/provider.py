"""The provider: what a connector holds. It gives a source of tokens the shapes that connectors expect."""

from __future__ import annotations

import functools

from lakekey._imports import LOADING, libraries
from lakekey.errors import raise_if_replaced
from lakekey.providers.hot_path import SessionSource
from lakekey.session.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any, overload

    from lakekey.cache.cache import Cache
    from lakekey.configuration.target import Target
    from lakekey.providers.session_ending import SessionEnding
    from lakekey.providers.sources import HeaderFactory, Headers, TokenSource
    from lakekey.providers.token import Token
    from lakekey.session.timing import Timing


# Loaded once, so that no caller with a live token waits for the lock while another thread loads the protocol code.
@functools.cache
def _threads() -> ModuleType:
    try:
        with libraries():
            from lakekey.providers import in_thread
    except (ImportError, AttributeError) as error:
        raise_if_replaced(error)
        raise

    return in_thread


class Provider:
    """Signs a connector in, as a person or as a service principal.

    Callable at every level at which connectors call it: ``p()`` (databricks-sql-connector) and ``p(cfg)``
    (databricks-sdk) return a header factory, which returns headers.

    Args:
        target: What it signs in to.
        interactive: Whether and how a person signs in, by the values of ``LAKEKEY_INTERACTIVE``, which it replaces;
            ``None`` to go by that variable.
        around: A wrapper for the source, such as a class that takes one. It is pickled by its name.
        cache: Where its session is kept; ``None`` for the cache that the environment names.
        environ: The environment; ``None`` for this process's.
        timing: How long the steps of a session take; ``None`` for the usual.
    """

    __module__ = "lakekey"  # the public name, which pickles keep: no later move of this file breaks them

    def __init__(
        self,
        target: Target,
        interactive: str | None = None,
        around: Callable[[TokenSource], Any] | None = None,
        *,
        cache: Cache | None = None,
        environ: Mapping[str, str] | None = None,
        timing: Timing | None = None,
    ) -> None:
        source = _source_of(target, timing, interactive=interactive, cache=cache, environ=environ)
        self._source: TokenSource = source if around is None else around(source)
        self._factory = self._source.headers
        self._pickled = () if interactive is None and around is None else (interactive, around)

    @property
    def target(self) -> Target:
        """What it signs in to. Where only a cloud knows the workspace's address, the first look asks it.

        Raises:
            LakekeyError: It cannot be found.
        """
        target = self._source.target
        return target if target.host else self._source.located()

    def __repr__(self) -> str:
        target = self._source.target
        return f"<lakekey.Provider {target.name}: {target.auth_type} at {target.host or 'Azure'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: who, where, until when; never a token."""
        with LOADING:
            from lakekey.providers.shown import as_html

        return as_html(self.target, self._source.stored())

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the secret and without tokens: unpickling finds both where the target says, or is an error.
        return Provider, (self._source.target, *self._pickled)

    def __deepcopy__(self, memo: dict[int, Any]) -> Provider:
        return self  # connectors copy their configuration; the session behind it is one all the same

    if TYPE_CHECKING:

        @overload
        def __call__(self) -> HeaderFactory: ...

        @overload
        def __call__(self, cfg: Any) -> Any: ...

    def __call__(self, cfg: Any = None) -> Any:
        """A header factory.

        Args:
            cfg: The SDK's ``Config`` where the SDK calls; nothing where the SQL connector does.

        Returns:
            A callable that returns fresh headers; for the SDK, one that also answers ``Config.oauth_token()``.
        """
        if cfg is None:
            return self._factory
        with LOADING:
            from lakekey.providers.sdk_protocol import header_factory

        return self._source.sdk_headers() or header_factory(self._factory, self._source.token)

    def auth_type(self) -> str:
        """The SDK's name of the grant, such as ``external-browser`` or ``oauth-m2m``."""
        return self._source.target.auth_type

    def headers(self, *, ask: bool = True) -> Headers:
        """Fresh request headers: ``{"Authorization": "Bearer …"}``, a new mapping each time.

        Args:
            ask: Whether a person may be asked to sign in, if one is there: not for a request that only clears up. Nor
                does it wait for a person who is signing in elsewhere: the error is `LockTimeout`.

        Raises:
            LakekeyError: There is no token to be had; the error says what to do.
        """
        return self._factory() if ask else self._source.unattended_headers()

    def token(self) -> Token:
        """The current access token, renewed where needed.

        A token of the SDK's own strategies that never ends, or whose end is not known, ends in the year 9999.

        Raises:
            ConfigurationError: The strategy has none: user name and password.
            LakekeyError: There is none to be had; the error says what to do.
        """
        return self._source.token()

    async def atoken(self) -> Token:
        """`token` for asyncio, trio and anyio: the event loop goes on while a token is renewed.

        A cancelled task leaves at once; an exchange that has been sent is completed without it.

        Raises:
            LakekeyError: As `token`; a `lakekey.ConfigurationError` where another event loop, or none, runs the caller.
        """
        if self._source.is_fresh:
            return self._source.token()
        token: Token = await _threads().in_a_thread(self._source.token)
        return token

    def login(self, *, switch: bool = False) -> Token:
        """Sign in now, whatever is cached; as a person in the browser, as a service principal by its secret.

        One of the SDK's own strategies is built again, and asked for a token.

        Args:
            switch: Let another person than before take the session over.

        Raises:
            LoginRequired: No person is there to sign in.
            LoginFailed: The sign-in did not succeed.
            CredentialsRefused, TokenEndpointError, CacheError: As they say.
        """
        self._source.login(switch=switch)
        return self._source.token()

    def logout(self) -> bool:
        """Remove the session from the cache, for every process, and revoke it where the server offers that.

        Returns:
            Whether there was one; never for the SDK's own strategies, which are in memory only.
        """
        return self._source.logout()

    def on_session_ending(self, callback: Callable[[SessionEnding], None]) -> None:
        """Be called when the session nears its end, so that a host can ask its person to sign in ahead.

        It is looked at whenever a token is taken into use, so about once an hour; each end is told of once. The call
        comes from the thread that renewed the token.

        Args:
            callback: Gets a `lakekey.providers.session_ending.SessionEnding`.
        """
        self._source.on_session_ending(callback)

    def invalidate(self, access_token: str, *, ask: bool = True) -> bool:
        """Report that a server refused a token (401 or 403): it is renewed, unless a newer one is already here.

        The new token is on trial: if it is refused as well within 30 s and has not `served`, it is kept, for every
        process. Another one would be refused, too, and each request would cost an exchange.

        Args:
            access_token: The token that was refused.
            ask: Whether a person may be asked to sign in, if one is there.

        Returns:
            Whether there is another token now, with which the refused request may be sent again.

        Raises:
            LakekeyError: There is no other token to be had.
        """
        return self._source.invalidate(access_token, ask=ask)

    def served(self, access_token: str) -> None:
        """Report that a server accepted a token: if it is refused later on, it may be the token, after all.

        Adapters report it; a program that calls `invalidate` by hand may.

        Args:
            access_token: The token that was accepted.
        """
        self._source.served(access_token)

    def identity(self) -> str | None:
        """Who is signed in: a person, as far as the server told, or a service principal's application id.

        ``None`` if a person has no session, the server did not tell, or a strategy of the SDK signs in.
        """
        return self._source.identity()

    def needs_login(self) -> bool:
        """Whether the next header needs a person to sign in; asks the cache and nothing else."""
        return self._source.needs_login()


def _source_of(target: Target, timing: Timing | None, **session: Any) -> TokenSource:
    """The source of a target's tokens: the one place that chooses."""
    if target.is_delegated:
        with LOADING:
            from lakekey.providers.sdk_strategy import SdkStrategy

        return SdkStrategy(target)
    kept = Session(target, timing=timing, **session)
    return SessionSource(kept) if timing is None else SessionSource(kept, first_pause=timing.stale_pause)
