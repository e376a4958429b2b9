"""The portal as an application on Starlette: its routes, what is answered where they fail, and its path."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lakekey import _log
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.web import pages, threads
from lakekey.web.administration import Administration
from lakekey.web.routes import Routes
from lakekey.web.service import PortalService


class Failures:
    """What is answered where a route fails.

    Args:
        routes: The portal's routes.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def refuse(self, request: Request, error: Exception) -> Response:
        """A route that is not there, or a refusal of the host application's own."""
        assert isinstance(error, HTTPException)
        return self._routes.refused(request, error, as_json=self._is_program(request))

    async def fail(self, request: Request, error: Exception) -> Response:
        """The store is away, or the configuration is missing or invalid."""
        _log.warning("web", "a request failed: %s", error)
        if isinstance(error, ConfigurationError):
            return self._routes.misconfigured(request, error)
        return self._routes.store_away(request)

    async def put_off(self, request: Request, error: Exception) -> Response:
        """Too many requests wait for the same."""
        _log.warning("web", "too many requests wait for %s", error)
        return self._routes.busy_json() if self._is_program(request) else self._routes.busy(request)

    async def break_off(self, request: Request, error: Exception) -> Response:
        """A fault; the server logs where it is."""
        _log.warning("web", "a request failed: %s", type(error).__name__)
        notice = pages.notice(self._routes.language(request), "broken", "broken-more")
        return self._routes.page(request, notice, 500)

    def _is_program(self, request: Request) -> bool:
        """Whether a route answers programs, which are told of trouble in their form."""
        return request.scope.get("endpoint") in (self._routes.connections, self._routes.healthz)


def asgi_app(portal: PortalService) -> ASGIApp:
    """The ASGI application of a portal."""
    routes = Routes(portal)
    failures = Failures(routes)
    app = Starlette(
        routes=[*routes.all(), *Administration(portal).all()],
        exception_handlers={
            HTTPException: failures.refuse,
            LakekeyError: failures.fail,
            threads.Busy: failures.put_off,
            Exception: failures.break_off,
        },
    )
    # Its redirects are made from the request's Host, and would carry the callback's code wherever that says.
    app.router.redirect_slashes = False

    async def under_its_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_two_ends(scope):
            await routes.framed_twice(Request(scope))(scope, receive, send)
            return
        if scope["type"] == "http" and not routes.is_meant(Request(scope)):
            notice = pages.notice(routes.language(Request(scope)), "title", "foreign", {"url": portal.url})
            await routes.page(Request(scope), notice, 421)(scope, receive, send)
            return
        # Behind a proxy that leaves the path as it is, and without a Mount that takes it off.
        base, root = portal.path, scope.get("root_path", "")
        if base and scope["type"] == "http" and not root and (scope["path"] + "/").startswith(base + "/"):
            scope = {**scope, "root_path": base}
        if scope["type"] == "http":
            scope = {**scope, "path": _without_a_slash(scope["path"], scope.get("root_path", ""))}
        await app(scope, receive, send)

    return under_its_path


def _has_two_ends(scope: Scope) -> bool:
    """Whether a request says in two ways where it ends (RFC 9112 §6.1).

    A proxy that goes by the one, before a server that goes by the other, passes on a visitor's own request as a part of
    this one, with whatever header that names a user.
    """
    return {b"content-length", b"transfer-encoding"} <= {name.lower() for name, _ in scope["headers"]}


def _without_a_slash(path: str, root: str) -> str:
    """The path of a request, without one slash at its end; that of the page of connections keeps its own."""
    if path in (root, f"{root}/"):
        return f"{root}/"
    return path.removesuffix("/")
