"""The portal's routes for its users.

A change is a POST with a form token, from the portal's own page; no GET changes anything but the end of a sign-in.
"""

import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lakekey import _log
from lakekey.configuration.target import Target
from lakekey.errors import CacheError, ConfigurationError, LakekeyError, TokenEndpointError
from lakekey.web import browser as browsers
from lakekey.web import frame, outcomes, pages, return_path, sign_in_messages, tabs, threads
from lakekey.web.connections import Connection
from lakekey.web.flows import Flow
from lakekey.web.health import Health
from lakekey.web.one_connection import OneConnection
from lakekey.web.one_look import OneLook
from lakekey.web.outcomes import Outcome
from lakekey.web.pages import Form, Message
from lakekey.web.people import User
from lakekey.web.service import PortalService
from lakekey.web.told import with_step
from lakekey.web.upkeep import Upkeep

_REFUSED = {outcomes.UNKNOWN: 400, outcomes.LATE: 400}


class Routes(Upkeep):
    """What each route does."""

    def __init__(self, portal: PortalService) -> None:
        super().__init__(portal)
        self._health = Health(lambda: portal.registrations.all(), self._threads)  # noqa: PLW0108 - found when it is asked

    def all(self) -> list[Route]:
        """The routes, which are fixed."""
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/connections", self.connections, methods=["GET"]),
            Route("/connect/{profile:path}", self.connect, methods=["POST"]),
            Route("/callback/{registration}", self.callback, methods=["GET"]),
            Route("/finish", self.finish, methods=["GET"]),
            Route("/disconnect/{profile:path}", self.disconnect, methods=["POST"]),
            Route("/healthz", self.healthz, methods=["GET"]),
            *([Route("/tab.js", self.script, methods=["GET"])] if self._portal.new_tab else []),
        ]

    # -- what changes nothing -----------------------------------------------------------------------------------

    async def overview(self, request: Request) -> Response:
        """The page of connections."""
        user = await self.user(request)
        if user is None:
            return self.signed_out(request)
        return await self.listing(request, user)

    async def connections(self, request: Request) -> Response:
        """The same as JSON."""
        user = await self.user(request)
        if user is None:
            return self.json({"error": "not_signed_in"}, 401)
        try:
            listed = await self.connections_of(user)
        except CacheError as error:
            return self.json({"error": error.code}, 503)
        return self.json({"user": user.name, "connections": [each.as_json() for each in listed]})

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """Whether the store can be read."""
        trouble = await self._health.trouble()
        if trouble is not None:
            return self.json({"status": "unavailable", "error": trouble}, 503)
        return self.json({"status": "ok"})

    async def script(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """The script of a page whose sign-ins have a tab of their own."""
        headers = {name: value for name, value in frame.HEADERS.items() if name != "Content-Type"}
        return Response(tabs.SCRIPT, media_type="text/javascript", headers=headers)

    # -- the sign-in --------------------------------------------------------------------------------------------

    async def connect(self, request: Request) -> Response:
        """Begin a sign-in; test a connection; or answer whether another person is meant."""
        ready = await self.changing_connection(request)
        if isinstance(ready, Response):
            return ready
        user, form, cookie, profile = ready
        if "flow" in form:
            return await self._answer(request, user, form)
        if "test" in form:
            return await self.test(request, user, profile)
        return await self._leave(request, user, profile, cookie, form.get("return_to"))

    async def _leave(
        self, request: Request, user: User, profile: str, cookie: browsers.Cookie, return_to: str | None
    ) -> Response:
        try:
            host, url = await self._threads.run_for(
                user.name,
                self._portal.server_of(profile),
                self._begin,
                profile,
                user,
                cookie.value,
                return_path.checked(return_to),
            )
        except CacheError:
            return self.store_away(request)
        except LakekeyError as error:
            _log.warning("web", "%s: the sign-in of %s could not begin: %s", profile, user.name, with_step(error))
            said = sign_in_messages.not_begun
            trouble = await self._threads.run(threads.STORE, said, self._portal, self.language(request), profile, error)
            return await self.listing(request, user, trouble, status=_status(error))
        name = urlsplit(host).hostname or host
        return self.page(request, pages.leaving(self.language(request), name, url), cookie=cookie)

    def _begin(self, profile: str, user: User, cookie: str, return_to: str) -> tuple[str, str]:
        portal = self._portal
        with OneConnection(portal.cache) as connection:
            look = OneLook(portal, user)
            target = look.target(profile)
            app = look.app_of(target)
            if app is None:
                raise Outcome(outcomes.NO_APP, profile=profile).to_error()
            url = portal.sign_ins.begin(
                target,
                user,
                redirect_uri=portal.redirect_uri(app.name),
                registration=app.name,
                browser=cookie,
                return_to=return_to,
                issuer=app.issuer,
                connection=connection,
            )
        return target.host, url

    async def callback(self, request: Request) -> Response:
        """The first step of the end: whose answer this is. The host application's own session is not needed."""
        if request.method == "HEAD" or _is_prefetch(request):
            return self.page(request, b"", 204)
        query = request.scope["query_string"].decode("latin-1")
        registration = request.path_params["registration"]
        try:
            received = await self._threads.run(
                threads.STORE,
                self._portal.sign_ins.receive,
                query,
                browser=self.browser(request),
                registration=registration,
            )
        except CacheError:
            return self.store_away(request, reload=True)
        if received.outcome is not None:
            self._log_unknown(request, received.outcome)
            return self._refused(request, received.outcome)
        onward = f"{self._portal.path}/finish?flow={received.handle}"
        return self.page(request, pages.moving_on(self.language(request), onward))

    async def finish(self, request: Request) -> Response:
        """The second step: who is at the browser, the exchange, and who signed in."""
        if request.method == "HEAD" or _is_prefetch(request):
            return self.page(request, b"", 204)
        user = await self.user(request)
        if user is None:
            return self.signed_out(request)
        handle, left = request.query_params.get("flow", ""), list[Callable[[], None]]()
        try:
            outcome, listed = await self._threads.run_for(
                user.name, await self._server_of(handle), self._finished, handle, self.browser(request), user, left
            )
        except CacheError:
            return self.store_away(request, reload=True)
        except ConfigurationError as error:
            return await self.listing(request, user, pages.error_message(self.language(request), error), status=409)
        answer = await self._show(request, user, outcome, handle, listed)
        if left:  # the connection is stored: the person is told, and its row of the sign-in is done with after that
            answer.background = BackgroundTask(_done_with, self._threads, left[0])
        return answer

    def _finished(
        self, handle: str, browser: str | None, user: User, left: list[Callable[[], None]]
    ) -> tuple[Outcome, list[Connection] | None]:
        """The outcome; and, while the thread is at it, the connections that the page shows then."""
        portal, look = self._portal, OneLook(self._portal, user)
        with OneConnection(portal.cache) as connection:
            outcome = portal.sign_ins.second_step.finish(
                handle,
                browser=browser,
                user=user,
                target_of=lambda flow: look.target(flow.profile),
                later=left.append,
                connection=connection,
            )
            if outcome.code != outcomes.CONNECTED or outcome.return_to or portal.asks_for_schedules:
                return outcome, None
            try:
                return outcome, portal.connections(user, look=look)
            except LakekeyError:
                return outcome, None  # what is connected is connected; the page looks again, and says what is wrong

    async def _answer(self, request: Request, user: User, form: dict[str, str]) -> Response:
        try:
            outcome = await self._threads.run_for(
                user.name,
                await self._server_of(form["flow"]),
                self._portal.sign_ins.second_step.answer,
                form["flow"],
                browser=self.browser(request),
                user=user,
                accept=form.get("accept") == "yes",
                target_of=self._target_of(user),
            )
        except CacheError:
            return self.store_away(request)
        except ConfigurationError as error:
            return await self.listing(request, user, pages.error_message(self.language(request), error), status=409)
        return await self._show(request, user, outcome, form["flow"])

    async def _show(
        self, request: Request, user: User, outcome: Outcome, handle: str, listed: list[Connection] | None = None
    ) -> Response:
        language = self.language(request)
        if outcome.code == outcomes.BUSY:
            onward = f"{self._portal.path}/finish?flow={handle}"
            return self.page(request, pages.moving_on(language, onward, seconds=1))
        if outcome.code == outcomes.ASKS:
            form = Form(self._portal.path, self.token(request, user))
            return self.page(request, pages.question(language, user.name, outcome, handle, form))
        if outcome.code == outcomes.CONNECTED and return_path.checked(outcome.return_to):
            return self.onward(outcome.return_to)
        if outcome.code in (outcomes.OTHER_BROWSER, outcomes.NO_COOKIE):
            return self._refused(request, outcome)
        status = 200 if outcome.code in (outcomes.CONNECTED, outcomes.KEPT) else _REFUSED.get(outcome.code, 409)
        message = await self._message(request, outcome)
        return await self.listing(request, user, message, status=status, listed=listed)

    def _log_unknown(self, request: Request, outcome: Outcome) -> None:
        """Log an answer to a sign-in that is not in the store, to a browser that has been here."""
        if outcome.code == outcomes.LATE and self.browser(request) is not None:
            store = self._portal.cache.store
            one = "" if store.shared else "; hosts that serve one address need one store (LAKEKEY_STORE)"
            _log.warning("web", "an answer came to a sign-in that has ended, or is not of %s%s", store.where, one)

    def _refused(self, request: Request, outcome: Outcome) -> Response:
        """A page for a browser of which nothing is known."""
        status = _REFUSED.get(outcome.code, 403)
        language, base = self.language(request), self._portal.path
        values = {**_blank(outcome), "url": f"{self._portal.url}/"}
        return self.page(request, pages.notice(language, "title", outcome.code, values, base=base), status)

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _server_of(self, handle: str) -> str:
        """The authorization server that a step of a sign-in waits for."""
        servers = set(map(self._portal.server_of, self._portal.profiles))
        if len(servers) == 1:
            return servers.pop()
        flow = await self._threads.run(threads.STORE, self._portal.sign_ins.flows.find, handle)
        return flow.host if flow is not None else threads.STORE

    def _target_of(self, user: User) -> Callable[[Flow], Target]:
        return lambda flow: self._portal.target(flow.profile, user)

    async def _message(self, request: Request, outcome: Outcome) -> Message:
        portal, language = self._portal, self.language(request)
        if sign_in_messages.needs_app(portal, outcome):
            return await self._threads.run(threads.STORE, sign_in_messages.ended, portal, language, outcome)
        return sign_in_messages.ended(portal, language, outcome)


async def _done_with(used: threads.Threads, left: Callable[[], None]) -> None:
    with contextlib.suppress(threads.Busy):  # a reload looks at the connection itself
        await used.run(threads.STORE, left)


def _is_prefetch(request: Request) -> bool:
    """Whether the browser only looks ahead."""
    return "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", ""))


def _blank(outcome: Outcome) -> dict[str, str]:
    """What the text of an outcome may ask for, where nothing of it is told to the browser."""
    return {"who": "?", "expected": "?", "detail": "", "app": "", "redirect_uri": "", "profile": outcome.profile}


def _status(error: LakekeyError) -> int:
    return 503 if isinstance(error, TokenEndpointError) else 409
