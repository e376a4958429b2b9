"""HTTP for the services that we speak to ourselves: TLS, no redirects, no ``.netrc``, bounded body, JSON only."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lakekey import _json
from lakekey._hosts import LOOPBACK
from lakekey._imports import libraries
from lakekey.cache.keys.kms import bounded
from lakekey.cache.keys.kms.service import Kind, KmsTrouble

_TIMEOUTS = (5.0, 10.0)  # seconds: to connect, and between two pieces of an answer; the whole is bounded besides
_MOST = 256 * 1024
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
TOO_MANY, SERVER_ERROR = 429, 500


class Answer(NamedTuple):
    """A service's answer.

    Attributes:
        status: The HTTP status.
        fields: Its JSON object; empty if it is not one.
    """

    status: int
    fields: dict[str, Any]

    def __repr__(self) -> str:
        return f"Answer(HTTP {self.status})"  # the fields may be a key

    def trouble(self) -> KmsTrouble | None:
        """What every service means alike: throttled, or not there; ``None`` if it is something else."""
        if self.status == TOO_MANY:
            return KmsTrouble(Kind.THROTTLED, f"HTTP {self.status}")
        if self.status >= SERVER_ERROR or self.status < 200 or 300 <= self.status < 400:
            return KmsTrouble(Kind.AWAY, f"HTTP {self.status}")
        return None

    def checked(self, refusal: "Callable[[Answer], KmsTrouble | None]") -> dict[str, Any]:
        """The fields of an answer that grants what was asked.

        Args:
            refusal: What else such an answer may mean: the service's own codes.

        Raises:
            KmsTrouble: It grants nothing.
        """
        trouble = self.trouble() or refusal(self)
        if trouble is not None:
            raise trouble
        return self.fields


def post(
    url: str,
    fields: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    ca: str | None = None,
    certificate: tuple[str, str] | None = None,
) -> Answer:
    """POST a JSON object.

    Args:
        url: An ``https`` address, or ``http`` on loopback.
        fields: The object.
        headers: The request's headers.
        ca: A PEM bundle, or a directory of certificates, to trust instead of the environment's and the system's.
        certificate: A certificate and its key to show (PEM files).

    Raises:
        KmsTrouble: No answer came, or the address is not secure.
    """
    require_secure(url)
    with libraries():
        import json

        import requests

    bounded.filter_new_loggers()
    trust = ca or next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None) or True
    try:
        with requests.Session() as session:
            session.trust_env = url[:5].lower() != "http:"  # which is loopback: a proxy would get the key in clear
            session.get_redirect_target = _no_redirect  # type: ignore[method-assign]
            with session.post(
                url,
                data=json.dumps(fields).encode(),
                headers={"Accept": "application/json", "Content-Type": "application/json", **headers},
                auth=_as_it_is,  # said, not left out: otherwise the library looks into ~/.netrc
                allow_redirects=False,
                timeout=_TIMEOUTS,
                stream=True,
                verify=trust,
                cert=certificate,
            ) as response:
                body = b""
                for piece in response.iter_content(8192):
                    body += piece
                    if len(body) > _MOST:
                        break
                status = response.status_code
    except (requests.exceptions.RequestException, OSError, ValueError) as error:
        name = type(error).__name__
    else:
        return Answer(status, _object(body))
    # Raised out here: the library's exception carries the request, and with it a key.
    raise KmsTrouble(Kind.AWAY, name)


def require_secure(url: str) -> None:
    """Refuse an address that would send a key in clear: TLS only, except to loopback.

    Raises:
        KmsTrouble: It is neither ``https`` nor loopback, or no address at all.
    """
    try:
        parts = urlsplit(url)
        # `post` looks at the same letters: urlsplit passes over a blank before them.
        secure = parts.scheme == "https" or (url[:5].lower() == "http:" and parts.hostname in LOOPBACK)
    except ValueError:
        secure = False
    if not secure:
        raise KmsTrouble(Kind.UNUSABLE, "not an https:// address", "use an https:// address; http only to loopback")


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A text of an answer.

    Raises:
        KmsTrouble: It is not there.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise KmsTrouble(Kind.AWAY, f"an answer without {name}")
    return value


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = _json.loads(body, longest=_MOST)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _no_redirect(resp: Any) -> None:
    """Where any redirect leads."""


def _as_it_is(request: Any) -> Any:
    return request
