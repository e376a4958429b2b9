"""AWS's SSO-OIDC CreateToken in front of an OAuth token endpoint, so that botocore can refresh there.

It puts one JSON protocol into the other's words and adds nothing: what is granted and refused is the server's decision.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import requests


class SsoFront:
    """Listens on loopback within its block.

    Args:
        endpoint: The token endpoint.
        ca_file: What its certificate is checked by.
    """

    def __init__(self, endpoint: str, ca_file: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                form = {
                    "grant_type": asked["grantType"],
                    "client_id": asked["clientId"],
                    "refresh_token": asked["refreshToken"],
                }
                answer = requests.post(endpoint, data=form, verify=ca_file, timeout=30)
                self._reply(answer.status_code, answer.json())

            def _reply(self, status: int, said: dict[str, object]) -> None:
                named = {
                    "accessToken": "access_token",
                    "refreshToken": "refresh_token",
                    "expiresIn": "expires_in",
                    "tokenType": "token_type",
                    "error": "error",
                }
                body = json.dumps({theirs: said[ours] for theirs, ours in named.items() if ours in said}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if "error" in said:
                    self.send_header("x-amzn-ErrorType", "InvalidGrantException")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the sandbox has its own log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.request_queue_size = 64
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
