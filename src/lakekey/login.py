"""Letting a person sign in: the listener, the browser, the wait, and who it was."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from lakekey.errors import ConfigurationError, LakekeyError, LoginTimeout, WrongIdentity
from lakekey.flight import Commitment
from lakekey.oauth import authorization_code, pages
from lakekey.oauth.callback import Callback
from lakekey.oauth.client import Client
from lakekey.oauth.identity import identify
from lakekey.oauth.token_response import TokenResponse
from lakekey.target import DEFAULT_CLIENT, Target

_EXCHANGE_PATIENCE = 30.0
_POLL = 0.02
# The ports that the platform registered for its built-in public clients.
_PORTS = {DEFAULT_CLIENT: range(8020, 8041), "databricks-sql-python": range(8020, 8025)}


class BrowserSignIn:
    """Signs a person in through a browser on this machine (RFC 8252).

    Args:
        target: What to sign in to.
        client: The OAuth client.
        environ: The environment.
    """

    def __init__(self, target: Target, client: Client, environ: Mapping[str, str]) -> None:
        self._target = target
        self._client = client
        self._environ = environ

    def __call__(self, commitment: Commitment) -> tuple[TokenResponse, str | None]:
        """Sign in.

        Returns:
            The tokens, and who signed in where the server tells.

        Raises:
            LoginFailed: It did not succeed.
            TokenEndpointError, CredentialsRefused: The server is unreachable, or refuses this client.
        """
        self._client.discover()  # an unreachable host is said before a browser opens
        host_name, ports, path = self._redirect()
        with Callback(ports, path=path, host_name=host_name) as callback:
            request = authorization_code.begin(self._client, callback.redirect_uri)
            callback.expect(request.state)
            self._show(request.url)
            self._wait(callback, commitment)
            commitment.commit()
            try:
                deadline = time.monotonic() + _EXCHANGE_PATIENCE
                response = authorization_code.finish(self._client, request, callback.answer(), deadline=deadline)
                who = identify(self._client.transport, self._target.host, response)
                self._check_identity(who)
            except LakekeyError as error:
                callback.show(pages.failed(error.message))
                raise
            callback.show(pages.signed_in(who, self._target.host))
            return response, who

    def _redirect(self) -> tuple[str, Iterable[int], str]:
        """Host, ports and path of the registered redirect address (RFC 8252 §7.3)."""
        target = self._target
        ports: Iterable[int] = _PORTS.get(target.client_id, range(8020, 8041))
        host_name, path = "localhost", ""
        if target.redirect_url:
            parts = urlsplit(target.redirect_url)
            if parts.scheme != "http" or parts.hostname not in ("localhost", "127.0.0.1"):
                raise ConfigurationError(
                    f"redirect_url {target.redirect_url!r} is no loopback address",
                    hint="use http://localhost:PORT, as registered for the app",
                    profile=target.name,
                )
            host_name, path = parts.hostname, parts.path
            ports = [parts.port] if parts.port else ports
        return host_name, [target.redirect_port] if target.redirect_port else ports, path

    def _show(self, url: str) -> None:
        who = f" as {self._target.user}" if self._target.user else ""
        print(f"lakekey: sign in to {self._target.host}{who} in the browser.", file=sys.stderr)  # noqa: T201
        print(f"If no browser opens, visit:\n\n  {url}\n", file=sys.stderr, flush=True)  # noqa: T201
        if _browser_is_here(self._environ):
            # In a thread of its own: a command named by BROWSER may run until the person is done.
            threading.Thread(target=_open_browser, args=(url,), name="lakekey-browser", daemon=True).start()

    def _wait(self, callback: Callback, commitment: Commitment) -> None:
        limit = self._target.login_timeout
        deadline = time.monotonic() + limit
        while not callback.answered.is_set():
            if time.monotonic() > deadline:
                raise LoginTimeout(
                    f"nobody finished the sign-in within {limit:g} s",
                    hint=f"run: {self._target.login_command}",
                    profile=self._target.name,
                )
            commitment.pause(_POLL)

    def _check_identity(self, who: str | None) -> None:
        wanted = self._target.user
        if wanted and who and wanted.casefold() != who.casefold():
            raise WrongIdentity(
                f"{who} signed in, but this profile is for {wanted}",
                hint=f"sign out of {self._target.host} in the browser, and sign in as {wanted}",
                profile=self._target.name,
            )


def _browser_is_here(environ: Mapping[str, str]) -> bool:
    # Without a display, Python would start a text browser in the terminal that the person is working in.
    return bool(
        environ.get("BROWSER")
        or environ.get("DISPLAY")
        or environ.get("WAYLAND_DISPLAY")
        or sys.platform in ("darwin", "win32")
    )


def _open_browser(url: str) -> None:
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(url, new=2)
