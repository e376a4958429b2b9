"""The sign-in as a whole: where the answer arrives, how the person is asked, the wait, and who signed in."""

import contextlib
import sys
import time
from collections.abc import Mapping

from lakekey import _log, _terminal
from lakekey._single_flight import Commitment
from lakekey.configuration.presence import interactive_mode
from lakekey.configuration.secret_variables import secret_variables
from lakekey.configuration.target import Target
from lakekey.errors import (
    ConfigurationError,
    CredentialsRefused,
    LakekeyError,
    LoginFailed,
    LoginTimeout,
    TokenEndpointError,
)
from lakekey.login import browser, pages, paste, preflight, screen
from lakekey.login.callback import Callback
from lakekey.login.identity import Identity, check_identity, identify
from lakekey.login.interruptible import interruptible
from lakekey.login.redirect import Redirect, redirect_of
from lakekey.login.seat import seat
from lakekey.oauth import authorization_code, deadlines, device, revocation
from lakekey.oauth.authorization_code import AuthorizationRequest
from lakekey.oauth.client import Client
from lakekey.oauth.token_response import TokenResponse

_EXCHANGE_PATIENCE = 30.0
_POLL = 0.02


class PersonSignIn:
    """Signs a person in (RFC 8252): through a browser here, by pasting, or by the device grant.

    Args:
        target: What to sign in to.
        client: The OAuth client.
        environ: The environment, which says where the person sits.
        mode: How, in the place of ``LAKEKEY_INTERACTIVE``.
    """

    def __init__(self, target: Target, client: Client, environ: Mapping[str, str], mode: str | None = None) -> None:
        self._target = target
        self._client = client
        self._environ = environ
        self._mode = mode

    def __call__(
        self, commitment: Commitment, held: str | None = None, *, switch: bool = False
    ) -> tuple[TokenResponse, str | None]:
        """Sign in.

        Args:
            commitment: Lets the sign-in be cancelled until the code is sent for exchange.
            held: Who the session belongs to that this sign-in replaces, where there is one.
            switch: Let another person take that session over.

        Returns:
            The tokens, and who signed in where the server tells.

        Raises:
            LoginFailed: It did not succeed.
            TokenEndpointError, CredentialsRefused: The server is unreachable, or refuses this client.
        """
        deadline = time.monotonic() + self._target.login_timeout
        # Redirects and certificates of the configuration and an unreachable host are told of before a browser opens;
        # the certificates here, since the host may be known from before.
        redirect = redirect_of(self._target)
        self._client.transport.check_files()
        metadata = interruptible(commitment, deadline, self._client.discover, self._timeout)
        here, mode = seat(self._environ), self._mode or interactive_mode(self._environ)
        held = None if switch else held
        words = None if mode == "paste" else browser.command(self._environ, wsl=here.wsl)
        if mode == "auto" and words is None and metadata.device_authorization_endpoint:
            return self._by_device(commitment, deadline, held)
        elsewhere = mode == "auto" and (here.remote or words is None)
        pastes = mode == "paste" or redirect.fixed is not None or elsewhere
        callback = None if mode == "paste" or redirect.fixed else self._callback(redirect, or_paste=pastes)
        with contextlib.ExitStack() as open_things:
            if callback is not None:
                open_things.enter_context(callback)
            typed = paste.open_input(notebook=here.notebook) if pastes else None
            if typed is not None:
                open_things.callback(typed.close)
            if callback is None and typed is None:
                raise LoginFailed(
                    "there is no terminal to paste the answer into", hint=f"run: {self._target.login_command}"
                )
            request = self._begin(callback.redirect_uri if callback else redirect.address)
            if callback is not None:
                callback.expect(request.state)
            interruptible(
                commitment, deadline, lambda: preflight.check(self._target, self._client, request), self._timeout
            )
            self._show(request, listening=callback is not None, typed=typed, words=words)
            answer = self._wait(commitment, deadline, request, callback, typed)
            return self._conclude(commitment, request, answer, callback, held)

    # -- asking the person --------------------------------------------------------------------------------------

    def _callback(self, redirect: Redirect, *, or_paste: bool) -> Callback | None:
        try:
            return Callback(redirect.ports, path=redirect.path, host_name=redirect.host_name)
        except LoginFailed as error:
            if not or_paste:
                raise
            _log.debug("login", "%s; the answer can be pasted", error.message)
            return None

    def _begin(self, redirect_uri: str) -> AuthorizationRequest:
        try:
            return authorization_code.begin(
                self._client, redirect_uri, login_hint=self._target.user, extras=self._target.authorize_extras
            )
        except ValueError as error:
            raise ConfigurationError(
                f"authorize_extras: {error}", hint="authorize_extras = name=value&name=value",
                profile=self._target.name,
            ) from None  # fmt: skip

    def _show(
        self, request: AuthorizationRequest, *, listening: bool, typed: paste.Input | None, words: list[str] | None
    ) -> None:
        who = f" as {self._target.user}" if self._target.user else ""
        opened = listening and words is not None and self._open_browser(words, request.url)
        lines = [f"lakekey: sign in to {self._target.host}{who}."]
        if opened:
            lines.append("A browser opens; if it does not, visit:")
        else:
            lines.append("Open this address in a browser" + (" on this machine" if typed is None else "") + ":")
        lines.append(f"\n  {_terminal.link(request.url, sys.stderr)}\n")
        if typed is not None:
            lines.append(
                "\n".join(
                    _terminal.folded(
                        f"The last page begins with {request.redirect_uri}. If it does not say that you are signed in, "
                        "copy its whole address, paste it here and press Enter.",
                        sys.stderr,
                    )
                )
            )
        if not screen.can_count() or (typed is not None and not typed.idle):
            lines.append(_how_long(self._target.login_timeout))
        print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201

    def _open_browser(self, words: list[str], url: str) -> bool:
        return browser.open_browser(words, url, self._environ, secrets=secret_variables())

    def _wait(
        self,
        commitment: Commitment,
        deadline: float,
        request: AuthorizationRequest,
        callback: Callback | None,
        typed: paste.Input | None,
    ) -> dict[str, str]:
        """The answer, from the listener or from the person's own hand, whichever comes first."""
        with screen.Countdown(deadline) as countdown:
            while time.monotonic() < deadline:
                if typed is None or typed.idle:
                    countdown.tick()
                if callback is not None and callback.answered.is_set():
                    return callback.answer()
                commitment.pause(_POLL)
                if typed is None:
                    continue
                try:
                    line = typed.line(_POLL, countdown.clear)
                    if line is not None and line.strip():
                        return paste.read_pasted(line, redirect_uri=request.redirect_uri, state=request.state)
                except paste.Unusable as problem:
                    countdown.clear()
                    print(f"lakekey: {problem}", file=sys.stderr, flush=True)  # noqa: T201
                except EOFError:
                    if callback is None:
                        raise self._nothing_pasted() from None
                    typed = None
        raise self._timeout()

    def _nothing_pasted(self) -> LoginFailed:
        return LoginFailed(
            "the input ended before the answer was pasted",
            hint=f"to answer in a browser of this machine, without pasting: {self._target.login_command} --no-browser",
            profile=self._target.name,
        )

    def _timeout(self) -> LoginTimeout:
        longer = max(300, round(2 * self._target.login_timeout))
        return LoginTimeout(
            f"the sign-in was not finished within {self._target.login_timeout:g} s",
            hint=f"more time: LAKEKEY_LOGIN_TIMEOUT={longer}, or: {self._target.login_command} --timeout {longer}",
            profile=self._target.name,
        )

    def _by_device(self, commitment: Commitment, deadline: float, held: str | None) -> tuple[TokenResponse, str | None]:
        code = interruptible(commitment, deadline, lambda: device.begin(self._client), self._timeout)
        end = min(deadline, code.deadline)
        print(  # noqa: T201
            "\n".join(
                _terminal.folded(
                    f"lakekey: sign in to {self._target.host}: open {code.verification_uri} in any browser "
                    f"and enter the code {code.user_code}",
                    sys.stderr,
                )
            ),
            *([] if screen.can_count() else [_how_long(max(0, round(end - time.monotonic())))]),
            sep="\n",
            file=sys.stderr,
            flush=True,
        )
        with screen.Countdown(end) as countdown:
            response = device.poll(self._client, code, screen.Counting(commitment, countdown), end)
        if response is None:
            raise self._timeout()
        return response, self._whose(response, None, held)

    # -- the answer ---------------------------------------------------------------------------------------------

    def _conclude(
        self,
        commitment: Commitment,
        request: AuthorizationRequest,
        answer: dict[str, str],
        callback: Callback | None,
        held: str | None,
    ) -> tuple[TokenResponse, str | None]:
        try:
            with deadlines.committing(commitment):
                response = self._exchange(request, answer)
            who = self._whose(response, request, held)
        except LakekeyError as error:
            if callback is not None:
                callback.show(pages.failed(error.message, hint=error.hint))
            raise
        if callback is not None:
            target = self._target
            callback.show(
                # The account that discovery names is a number that says nothing to a person who did not write it down.
                pages.signed_in(who, target.host, account=target.account_id, profile=target.profile),
            )
        return response, who

    def _exchange(self, request: AuthorizationRequest, answer: dict[str, str]) -> TokenResponse:
        deadline = time.monotonic() + _EXCHANGE_PATIENCE
        try:
            try:
                return authorization_code.finish(self._client, request, answer, deadline=deadline)
            except TokenEndpointError as error:
                if error.status not in (429, 503):
                    raise
                # Turned away before the code was looked at (RFC 6749 §4.1.2 lets it be used once): once more.
                time.sleep(min(error.retry_after or 1.0, 5.0))
                return authorization_code.finish(self._client, request, answer, deadline=deadline)
        except CredentialsRefused as error:
            raise preflight.explained(self._target, error) from None

    def _whose(self, response: TokenResponse, request: AuthorizationRequest | None, held: str | None) -> str | None:
        """Who signed in; tokens of the wrong person are given back to the server."""
        try:
            identity: Identity = identify(
                self._client, self._target.host, response, nonce=request.nonce if request else None
            )
            check_identity(self._target, identity, held)
        except LoginFailed:
            revocation.revoke(self._client, response.refresh_token or response.access_token)
            raise
        return identity.name


def _how_long(seconds: float) -> str:
    """How long there is time, where no line counts down."""
    return f"You have {seconds:g} s; {screen.how_to_stop()}."
