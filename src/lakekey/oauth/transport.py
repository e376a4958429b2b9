"""A strict HTTP client for OAuth endpoints: no redirects, no ``.netrc``, bounded body, bounded time, JSON only.

Everything that talks to an authorization server goes through here, so that one proxy and TLS setting serves all.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK
from lakekey._imports import libraries
from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth import certificates, deadlines, monkey_patches
from lakekey.oauth.answer import Answer, retry_after
from lakekey.oauth.connections import KeptConnections, new_adapter
from lakekey.oauth.content_coding import unpacked
from lakekey.oauth.proxy import proxies_on_the_way, proxy_to
from lakekey.oauth.transport_errors import LONGEST, TRY_AGAIN, explained, late

if TYPE_CHECKING:
    import requests

MAX_BODY = 1 << 20
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_ACCEPTED = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Transport:
    """Sends requests to authorization servers.

    Args:
        ca_file: A PEM bundle to trust instead of the environment's and the system's.
        user_agent: The ``User-Agent`` header.
        client_certificate: A certificate and its key to show where the server asks (PEM files), or ``None``.
        kept: Where connections wait for the next request; ``None``: each request has one of its own.
        limits: How long one exchange may take.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        user_agent: str = "lakekey",
        client_certificate: tuple[str, str] | None = None,
        kept: KeptConnections | None = None,
        limits: deadlines.Limits = deadlines.USUAL,
    ) -> None:
        self._limits = limits
        self._kept = kept
        # The library knows the first two of these variables; OpenSSL, and with it all others, the third.
        self._ca_file = ca_file or next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
        self._client_certificate = client_certificate
        self._user_agent = user_agent

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, deadline: float | None = None) -> Answer:
        """GET a document.

        Args:
            url: An ``https`` address, or ``http`` on loopback.
            headers: Further request headers.
            deadline: When to give up, by `time.monotonic`.

        Raises:
            TokenEndpointError: No usable answer came.
        """
        return self._send("GET", url, headers=headers, deadline=deadline)

    def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        basic: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """POST a form (RFC 6749 §4.1.3 and its siblings).

        Args:
            url: An ``https`` address, or ``http`` on loopback.
            form: The fields.
            basic: A client id and its secret, for HTTP Basic (RFC 6749 §2.3.1).
            headers: Further request headers.
            deadline: When to give up, by `time.monotonic`.

        Raises:
            TokenEndpointError: No usable answer came.
        """
        return self._send("POST", url, headers=headers, form=form, basic=basic, deadline=deadline)

    def check_files(self) -> None:
        """Look whether the certificates that are configured can be used.

        Raises:
            ConfigurationError: They cannot.
        """
        certificates.check(self._ca_file, self._client_certificate)

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        deadline: float | None = None,
        new_connection: bool = False,
    ) -> Answer:
        require_secure(url)
        certificates.require_files(self._ca_file, self._client_certificate)
        proxies = proxies_on_the_way(url)
        proxy = proxy_to(url, proxies)
        with libraries():
            import encodings.idna  # noqa: F401 - what looking a name up would load

            import requests
            import requests.auth
            import urllib3.util.ssl_

        monkey_patches.check(urllib3.util.ssl_.SSLContext)
        host = urlsplit(url).netloc
        deadline = time.monotonic() + self._limits.connect + self._limits.read if deadline is None else deadline
        deadline = deadlines.earliest(deadline)
        left = deadline - time.monotonic()
        if left <= 0:
            raise TokenEndpointError(late(host, proxy), hint=TRY_AGAIN)
        retryable, answered = True, False
        key = (host, proxy, self._ca_file, self._client_certificate)
        adapter = (self._kept.take(key) if self._kept is not None and not new_connection else None) or new_adapter()
        # A session for each request, as it would send on the cookies that another person's answer has set.
        with requests.Session() as session, deadlines.enforced(deadline, drain=self._limits.drain) as watch:
            session.trust_env = False  # which was asked above, once: each look goes through all variables
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            # The library looks where a redirect leads although none is followed: it would read an endless body, and
            # stumble over something that is not an address.
            session.get_redirect_target = _no_redirect  # type: ignore[method-assign]
            handled = sys.exception()
            try:
                with session.request(
                    method,
                    url,
                    data=dict(form) if form is not None else None,
                    headers={**_ACCEPTED, "User-Agent": self._user_agent, **(headers or {})},
                    auth=_authentication(basic),
                    allow_redirects=False,  # a redirect would carry the credentials elsewhere
                    timeout=(min(self._limits.connect, left), watch.read_timeout),
                    stream=True,
                    proxies=proxies,
                    verify=self._ca_file or None,
                    cert=self._client_certificate,
                ) as response:
                    answered = True
                    answer = _read(response, host, watch)
                if self._kept is not None and not watch.over:
                    session.adapters.clear()  # which the session would close
                    self._kept.give(key, adapter)
                # An answer that ends with its connection ends at the deadline, too: then only JSON is known whole.
                if not watch.over or answer.json_object() is not None:
                    return answer
                problem, hint = late(host, proxy), TRY_AGAIN
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                # The second where requests lets it through: a host name with a label that is empty or too long. The
                # last: something that was to be sent on, such as a device code, cannot be encoded.
                problem, hint, retryable = explained(error, host, proxy, handled=handled)
        if watch.reuses and not answered and time.monotonic() < deadline:
            # The server had closed it, or was about to (RFC 9112 §9.3.1); see `KeptConnections`.
            return self._send(
                method, url, headers=headers, form=form, basic=basic, deadline=deadline, new_connection=True
            )
        if retryable and time.monotonic() >= deadline:
            # Cut off by ourselves (`lakekey.oauth.deadlines`), whatever it looked like to the library.
            problem, hint = late(host, proxy), TRY_AGAIN
        self.check_files()
        # Raised out here: the library's exception carries the request, and with it the secrets in its body.
        raise TokenEndpointError(problem, hint=hint, retryable=retryable)


def require_secure(url: str) -> None:
    """Refuse an address that would send credentials in clear: TLS only, except to loopback.

    Raises:
        ConfigurationError: It is neither ``https`` nor loopback, or no address at all.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not closed; not quoted, since it may come from the network
        raise ConfigurationError("an address of the server is malformed", hint="check host and discovery_url") from None
    # A blank before http:// would be passed over by urlsplit, and not by what keeps proxies off loopback.
    if parts.scheme == "https" or (url[:5].lower() == "http:" and parts.hostname in LOOPBACK):
        return
    raise ConfigurationError(
        f"{parts.scheme}://{parts.netloc} is not a secure address", hint="use an https:// host; http only to loopback"
    )


def _no_redirect(resp: "requests.Response") -> None:
    """Where any redirect leads."""


def _authentication(basic: tuple[str, str] | None) -> Callable[["requests.PreparedRequest"], Any]:
    if basic is None:
        return lambda request: request  # said, not left out: otherwise the library looks into ~/.netrc
    with libraries():
        from urllib.parse import quote_plus

        from requests.auth import HTTPBasicAuth

    # RFC 6749 §2.3.1: both are form-encoded before they are joined.
    return HTTPBasicAuth(quote_plus(basic[0]), quote_plus(basic[1]))


def _read(response: "requests.Response", host: str, watch: deadlines.Watch) -> Answer:
    """Read an answer whole. What is whole in spite of its framing counts: it may hold a spent token's successor."""
    with libraries():
        import urllib3.exceptions
        from requests.exceptions import SSLError

    body = b""
    broken: Exception | None = None
    # The first returns what has come, where the second would discard it for an error that follows.
    read = getattr(response.raw, "read1", response.raw.read)
    try:
        while piece := read(watch.piece, decode_content=False):
            body += piece
            if len(body) > MAX_BODY:
                break
            watch.progress()
    except urllib3.exceptions.SSLError as error:
        broken = SSLError(error)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        broken = error
    body = unpacked(body, MAX_BODY, response.headers.get("Content-Encoding", ""))
    if len(body) > MAX_BODY:
        raise TokenEndpointError(
            f"{host} sent more than {MAX_BODY} bytes", status=response.status_code, retryable=False
        )
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not content_type.isprintable() or len(content_type) > LONGEST:  # it is shown in errors
        content_type = ""
    answer = Answer(
        response.status_code,
        content_type,
        body,
        retry_after(response.headers.get("Retry-After")),
        response.headers.get("Location"),
        response.headers.get("Date"),
    )
    if broken is not None and answer.json_object() is None:
        raise broken
    return answer
