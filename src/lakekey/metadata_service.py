"""A local metadata service: every Databricks SDK, in any language, signed in through lakekey.

The SDKs ask ``GET $DATABRICKS_METADATA_SERVICE_URL`` with ``X-Databricks-Metadata-Version: 1`` and
``X-Databricks-Host``, and are answered with ``access_token``, ``token_type`` and ``expires_on`` (epoch seconds).

It hands out tokens, so it listens on loopback only, answers only under a path that cannot be guessed, and checks
``Host``, so that a web page cannot reach it by DNS rebinding.
"""

import contextlib
import hmac
import json
import secrets
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lakekey import _log
from lakekey._provider import Provider
from lakekey.errors import ConfigurationError, LakekeyError, LoginRequired
from lakekey.target import normalize_host

_VERSION = "1"


class MetadataService(ThreadingHTTPServer):
    """The service.

    Args:
        providers: Whose tokens it hands out, one for each host.
        port: The port on loopback; 0 for any free one.

    Attributes:
        url: Its address, with the secret path: the value of ``DATABRICKS_METADATA_SERVICE_URL``.

    Raises:
        ConfigurationError: Two providers are for the same host, or the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # there it would let another program share the port

    def __init__(self, providers: Iterable[Provider], *, port: int = 0) -> None:
        self._providers: dict[str, Provider] = {}
        for provider in providers:
            if self._providers.setdefault(provider.target.host, provider) is not provider:
                raise ConfigurationError(
                    f"two profiles are for {provider.target.host}, and a request names only the host",
                    hint="serve one of them here, and the other from a second service",
                    profile=provider.target.name,
                )
        self._path = f"/{secrets.token_urlsafe(32)}"
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise ConfigurationError(f"port {port} is taken: {error.strerror}", hint="choose another --port") from None
        self._authority = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self._authority}{self._path}"

    def answer(self, host_header: str, path: str, version: str, workspace: str) -> tuple[int, dict[str, Any]]:
        """What to answer to a GET.

        Args:
            host_header: Its ``Host``.
            path: Its path.
            version: Its ``X-Databricks-Metadata-Version``.
            workspace: Its ``X-Databricks-Host``.

        Returns:
            The HTTP status and the JSON object.
        """
        known = hmac.compare_digest(path.encode(errors="replace"), self._path.encode())
        if not known or host_header.lower() not in (self._authority, f"localhost:{self.server_address[1]}"):
            return 404, {"error": "not found"}
        if version != _VERSION:
            return 400, {"error": f"X-Databricks-Metadata-Version must be {_VERSION}"}
        try:
            provider = self._providers[normalize_host(workspace, None)]
        except (KeyError, ConfigurationError):
            return 404, {"error": "no profile for this X-Databricks-Host is served here"}
        try:
            token = provider.token()
        except LakekeyError as error:
            _log.warning("serve", "%s", error)
            status = 401 if isinstance(error, LoginRequired) else 503
            return status, {"error": error.code, "message": error.message, "hint": error.hint}
        return 200, {
            "access_token": token.access_token,
            "token_type": token.token_type,
            "expires_on": int(token.expires_at.timestamp()),
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: MetadataService
    timeout = 10  # seconds that a silent connection keeps its thread
    server_version = "lakekey"
    sys_version = ""

    def do_GET(self) -> None:
        headers = self.headers
        status, facts = self.server.answer(
            headers.get("Host", ""),
            self.path.rstrip("/"),
            headers.get("X-Databricks-Metadata-Version", ""),
            headers.get("X-Databricks-Host", ""),
        )
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Request lines carry the secret path: none is written anywhere."""
