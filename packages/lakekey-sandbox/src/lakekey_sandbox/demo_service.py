"""The service of ``lakekey demo --web``: a page on which the visitor chooses a user, and the portal beside it."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from lakekey.errors import LakekeyError, LoginRequired
from lakekey.web import Portal

#: Where the portal is mounted.
PORTAL = "/lakekey"
_COOKIE = "demo-user"
_STARTS_WITHIN = 30.0  # seconds
_STYLE = (
    "<style>:root{color-scheme:light dark}body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;"
    "padding:0 1rem}button{font:inherit;margin:.2rem .4rem .2rem 0}</style>"
)


class Service:
    """A service with two users, as its own sign-in page has it; the portal asks it who is at the browser.

    Args:
        profiles: What its users connect to.
        port: Its port on loopback.
        people: Who its users are.
        options: For `lakekey.web.Portal`.
    """

    def __init__(self, profiles: list[str], *, port: int, people: tuple[str, ...], **options: Any) -> None:
        self.people = people
        self.url = f"http://localhost:{port}"
        self.portal = Portal(profiles, url=self.url + PORTAL, user=self._user, **options)
        routes = [
            Route("/", self._home),
            Route("/user", self._choose, methods=["POST"]),
            Mount(PORTAL, self.portal),
        ]
        self.app = Starlette(routes=routes)

    def _user(self, request: Request) -> str | None:
        chosen = request.cookies.get(_COOKIE)
        return chosen if chosen in self.people else None

    async def _home(self, request: Request) -> Response:
        user = self._user(request)
        choices = "".join(
            f'<button name="user" value="{escape(person)}">I am {escape(person)}</button>' for person in self.people
        )
        rows = "" if user is None else await run_in_threadpool(self._rows, user)
        page = (
            f"<!doctype html><html lang=en><title>A service</title>{_STYLE}<h1>A service with two users</h1>"
            f'<form method="post" action="/user">{choices}</form>{rows}'
        )
        return HTMLResponse(page, headers={"cache-control": "no-store"})

    def _rows(self, user: str) -> str:
        """The identity with which the service acts for a user, in each workspace."""
        found = []
        for profile in self.portal.profiles:
            try:
                acts_as = escape(self.acts_as(user, profile))
            except LoginRequired:
                acts_as = "not connected"
            except LakekeyError as error:
                acts_as = escape(error.message)
            found.append(f"<li>{escape(profile)}: {acts_as}</li>")
        return (
            f"<p>You are {escape(user)}. For you, this service acts as:</p><ul>{''.join(found)}</ul>"
            f'<p><a href="{PORTAL}/">Your connections</a></p>'
        )

    def acts_as(self, user: str, profile: str) -> str:
        """Who the workspace says that the service is, when it acts for a user."""
        import lakekey

        connection = lakekey.sql.connect(self.portal.provider(user, profile), enable_telemetry=False)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("select current_user()")
            return str(cursor.fetchone()[0])

    async def _choose(self, request: Request) -> Response:
        chosen = parse_qs((await request.body()).decode("ascii", "replace")).get("user", [""])[0]
        answer = RedirectResponse("/", 303)
        if chosen in self.people:
            answer.set_cookie(_COOKIE, chosen, httponly=True, samesite="strict")
        return answer

    def cookie(self, user: str) -> dict[str, str]:
        """What the browser of a user has after the service's own sign-in."""
        return {_COOKIE: user}


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@contextlib.contextmanager
def served(app: Any, on: socket.socket) -> Iterator[None]:
    """Serve an application for as long as the block runs.

    Raises:
        RuntimeError: It does not start.
    """
    config = uvicorn.Config(app, log_level="warning", lifespan="off", proxy_headers=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [on]}, name="lakekey-demo-web", daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + _STARTS_WITHIN
        while not server.started:
            if time.monotonic() > ends or not thread.is_alive():
                raise RuntimeError("the demo's service does not start")
            time.sleep(0.02)
        yield
    finally:
        server.should_exit = True
        thread.join(_STARTS_WITHIN)
