"""Faults on request: a route that fails, lies, is slow, or goes away without an answer."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

from lakekey_sandbox.https import ConnectionDropped
from lakekey_sandbox.records import ROUTES, route_of

Body = str | bytes | Mapping[str, Any]


@dataclass
class Fault:
    """What a route does instead of, before or after answering; see ``Sandbox.fault``."""

    route: str
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    content_type: str | None = None
    delay: float = 0
    hang: bool = False
    drop: bool = False
    drop_after: bool = False

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise ValueError(f"no route is called {self.route!r}; there are {', '.join(ROUTES)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times is at least 1, or None for every request until clear_faults()")

    def answers(self) -> bool:
        """Whether the fault answers in the route's place."""
        return self.status is not None or self.body is not None

    def response(self) -> Response:
        """The answer in the route's place."""
        body: Body = self.body if self.body is not None else {"error": "fault", "error_description": "A fault"}
        if isinstance(body, Mapping):
            body, kind = json.dumps(body), "application/json"
        else:
            kind = "text/html; charset=utf-8"
        answer = Response(body, status=self.status or 200, content_type=self.content_type or kind)
        answer.headers.update(self.headers)
        return answer


class Faults:
    """The faults that are set, oldest first by route; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._released = threading.Event()

    def add(self, fault: Fault) -> None:
        """Sets a fault."""
        with self._lock:
            self._faults.append(fault)

    @property
    def left(self) -> int:
        """How many are not used up."""
        with self._lock:
            return len(self._faults)

    def clear(self) -> None:
        """Forgets all faults, and lets go of the requests that one of them holds."""
        with self._lock:
            self._faults.clear()
            self._released.set()
            self._released = threading.Event()

    def take(self, route: str) -> tuple[Fault | None, threading.Event]:
        """The fault for the next request of a route, counted down, and what ends its waiting."""
        with self._lock:
            for fault in self._faults:
                if fault.route != route:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                return fault, self._released
            return None, self._released


class FaultInjector:
    """WSGI middleware that applies the faults.

    Args:
        app: The application to spoil.
        faults: The faults that are set.
    """

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request (PEP 3333), or does what the fault wants."""
        fault, released = self._faults.take(route_of(environ["PATH_INFO"]))
        if fault is None:
            return self._app(environ, start_response)
        if fault.delay:
            released.wait(fault.delay)
        if fault.hang:
            released.wait()
        if fault.hang or fault.drop:
            raise ConnectionDropped
        if fault.answers():
            return fault.response()(environ, start_response)
        answer = Response.from_app(self._app, environ, buffered=True)
        if fault.drop_after:
            raise ConnectionDropped
        answer.headers.update(fault.headers)
        return answer(environ, start_response)
