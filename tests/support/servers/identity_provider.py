"""An identity provider: signs tokens as a company's, a CI system's or a cluster's does, and hands them out by HTTP."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

_KEY = RSAKey.generate_key(2048, auto_kid=True)


class IdentityProvider:
    """An issuer of its own; as a context manager also the token service of GitHub Actions and Azure DevOps.

    Attributes:
        issuer: Its ``iss``.
        seen: What was asked of the token service: method, path, query, authorization.
        status: What the token service answers with, if not 200.
    """

    def __init__(self) -> None:
        self.issuer = f"https://{uuid.uuid4()}.idp.example"
        self.seen: list[dict[str, Any]] = []
        self.status = 200
        self.subject = "repo:lakehouse/etl:ref:refs/heads/main"
        self.audience = ""

    @property
    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [_KEY.as_dict(private=False)]}

    def token(self, subject: str, audience: str, *, lifetime: int = 300) -> str:
        """A signed JWT."""
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime}
        return jwt.encode({"alg": "RS256", "kid": _KEY.kid}, claims, _KEY, ["RS256"])

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer("value")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer("oidcToken")

            def answer(self, field: str) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                provider.seen.append(
                    {
                        "method": self.command,
                        "path": parts.path,
                        "query": query,
                        "authorization": self.headers.get("Authorization"),
                    }
                )
                audience = query.get("audience") or provider.audience
                answer = {field: provider.token(provider.subject, audience)} if provider.status == 200 else {}
                body = json.dumps(answer).encode()
                self.send_response(provider.status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
