"""A small local HTTP server that answers what a test tells it to, and remembers what it was asked."""

import contextlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class LocalServer(ThreadingHTTPServer):
    """Answers by path; anything else is 404."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []
        self._answers = {}

    def answer(self, path, body=b"{}", *, status=200, content_type="application/json", **headers):
        """Answers a path with a body (text or bytes) and headers, written with ``_`` for ``-``."""
        body = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers[path] = (status, {"Content-Type": content_type, **named}, body)

    def answer_for(self, path):
        """Status, headers and body of a path."""
        return self._answers.get(path, (404, {"Content-Type": "text/plain"}, b"nothing here"))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        status, headers, body = self.server.answer_for(self.path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have had enough
            self.wfile.write(body)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *arguments):
        pass
