"""The request log and its counters: what happened, never with which secret."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import request
from werkzeug.wrappers import Response

from lakekey_sandbox.https import ConnectionDropped

GRANTS = ("authorization_code", "refresh_token", "client_credentials", "token_exchange")

_NOTES = "lakekey.notes"
_ROUTES = (
    ("/.well-known/databricks-config", "config"),
    ("/.well-known/oauth-authorization-server", "discovery"),
    ("/.well-known/openid-configuration", "discovery"),
    ("/v1/authorize", "authorize"),
    ("/v1/token", "token"),
    ("/v1/revoke", "revoke"),
    ("/v1/userinfo", "userinfo"),
    ("/jwks.json", "jwks"),
)
_PREFIXES = (
    ("/sql/", "sql"),
    ("/api/2.0/preview/scim/", "scim"),
    ("/api/2.1/clusters/", "clusters"),
    ("/api/2.1/jobs/", "jobs"),
    ("/api/2.2/jobs/", "jobs"),
    ("/api/2.0/connector-service/feature-flags/", "feature-flags"),
    ("/telemetry-", "telemetry"),
)

#: The names that a record's ``route`` can have, and that a fault can be set on.
ROUTES = (*dict.fromkeys(name for _, name in (*_ROUTES, *_PREFIXES)), "other")


def route_of(path: str) -> str:
    """The short name of the route that serves a path."""
    for suffix, name in _ROUTES:
        if path.endswith(suffix):
            return name
    for prefix, name in _PREFIXES:
        if path.startswith(prefix):
            return name
    return "other"


@dataclass(frozen=True)
class Record:
    """One request.

    Attributes:
        time: When it was answered, epoch seconds.
        method: The HTTP method.
        path: The path, without the query.
        route: The route's short name, such as ``token`` or ``sql``.
        status: The HTTP status; 0 where the connection was closed without an answer.
        event: The grant type at the token endpoint, ``login`` or ``cancel`` at the sign-in page.
        error: The OAuth error code of a refusal.
        detail: ``reuse`` for a refresh with a spent token.
        subject: Who it was for, where known.
        client_id: The client, where known.
        user_agent: What the client calls itself.
    """

    time: float
    method: str
    path: str
    route: str
    status: int
    event: str | None
    error: str | None
    detail: str | None
    subject: str | None
    client_id: str | None
    user_agent: str | None


def note(**facts: str | None) -> None:
    """Adds facts about the request in progress to its record: event, error, detail, subject, client_id."""
    request.environ[_NOTES].update({name: fact for name, fact in facts.items() if fact is not None})


class RequestLog:
    """The records of all requests, in order; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []

    def add(self, record: Record) -> None:
        """Appends a record."""
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        """Forgets all records."""
        with self._lock:
            self._records.clear()

    def records(self) -> list[Record]:
        """A copy of the records."""
        with self._lock:
            return list(self._records)

    def counters(self) -> dict[str, int]:
        """Counts: token requests by grant (those answered with a token) and in all, logins, refusals."""
        counts = Counter({f"token.{grant}": 0 for grant in GRANTS})
        for name in ("token.requests", "logins", "cancellations", "refusals", "reuses", "unauthorized"):
            counts[name] = 0
        for record in self.records():
            counts.update(_counted(record))
        return dict(counts)


def _counted(record: Record) -> list[str]:
    names = []
    if record.route == "token" and record.method == "POST":
        names.append("token.requests")
        if record.status == 200 and record.event in GRANTS:
            names.append(f"token.{record.event}")
        elif record.error is not None:
            names.append("refusals")
            names += ["reuses"] if record.detail == "reuse" else []
    elif record.event == "login":
        names.append("logins")
    elif record.event == "cancel":
        names.append("cancellations")
    elif record.status in (401, 403):
        names.append("unauthorized")
    return names


class Recorder:
    """WSGI middleware that writes the log.

    It writes before the answer leaves: who has read an answer finds the record of it.

    Args:
        app: The application to record.
        log: Where the records go.
    """

    def __init__(self, app: WSGIApplication, log: RequestLog) -> None:
        self._app = app
        self._log = log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request (PEP 3333) and records it."""
        # Werkzeug passes a copy of the environment on; the copy shares this dictionary.
        environ[_NOTES] = {}
        try:
            answer = Response.from_app(self._app, environ, buffered=True)
        except ConnectionDropped:
            self._log.add(_record(environ, 0))
            raise
        self._log.add(_record(environ, answer.status_code))
        return answer(environ, start_response)


def _record(environ: WSGIEnvironment, status: int) -> Record:
    notes: dict[str, str] = environ[_NOTES]
    path = environ["PATH_INFO"]
    return Record(
        time=time.time(),
        method=environ["REQUEST_METHOD"],
        path=path,
        route=route_of(path),
        status=status,
        event=notes.get("event"),
        error=notes.get("error"),
        detail=notes.get("detail"),
        subject=notes.get("subject"),
        client_id=notes.get("client_id"),
        user_agent=environ.get("HTTP_USER_AGENT"),
    )
