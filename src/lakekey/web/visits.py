"""What every route of the portal knows of a request: who is at the browser, whether a form is ours, how to answer."""

import inspect
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from lakekey import _log
from lakekey._hosts import LOOPBACK, in_address
from lakekey.errors import CacheError, ConfigurationError
from lakekey.web import browser as browsers
from lakekey.web import connections_page, frame, pages, tabs, threads, words
from lakekey.web.connections import Connection
from lakekey.web.other_address import PORTS, other_address
from lakekey.web.pages import Form, Message
from lakekey.web.people import User, user_of
from lakekey.web.reliance import Reliance
from lakekey.web.service import PortalService
from lakekey.web.told import text_of, with_step

_OF_THE_BODY = frozenset({"content-length", "content-encoding", "transfer-encoding"})
_LONGEST_FORM = 16 * 1024


class Visits:
    """Reads requests and makes answers.

    Args:
        portal: The portal.
    """

    def __init__(self, portal: PortalService) -> None:
        self._portal = portal
        self._threads = threads.Threads(portal.patience)
        parts = urlsplit(portal.url)
        port = f":{parts.port}" if parts.port not in (None, PORTS[parts.scheme]) else ""
        self._origin = f"{parts.scheme}://{in_address(parts.hostname or '')}{port}"
        self._is_here = parts.hostname in LOOPBACK
        self._loopback = self._is_here and parts.scheme == "http"

    def is_meant(self, request: Request) -> bool:
        """Whether a request names this portal, where that has to be asked.

        A portal on loopback is reached by every name that an attacker's DNS points there, and a browser takes such a
        page for one of the attacker's own. Elsewhere the certificate says which host a browser talks to.
        """
        if not self._is_here:
            return True
        try:
            return urlsplit(f"//{request.headers.get('host', '')}").hostname in LOOPBACK
        except ValueError:
            return False

    async def user(self, request: Request) -> User | None:
        """Who is at the browser, as the host application says."""
        given = self._portal.user
        if inspect.iscoroutinefunction(given):
            found = await given(request)
        else:
            found = await self._threads.run(threads.CALLABLES, given, request)
            if inspect.isawaitable(found):
                found = await found
        try:
            return None if found is None else user_of(found)
        except ConfigurationError as error:
            _log.warning("web", "the host application names a user who cannot be one: %s", with_step(error))
            return None

    async def changing(self, request: Request) -> tuple[User, dict[str, str], browsers.Cookie] | Response:
        """Whether a POST comes from a form of ours (W3C Fetch Metadata; RFC 6265bis §8.8.1).

        Returns:
            The user, the form's fields and the browser's cookie; or the answer, where it does not.
        """
        if not self._is_same_site(request):
            notice = pages.notice(self.language(request), "title", "foreign", {"url": self._portal.url})
            return self.page(request, notice, 403)
        user = await self.user(request)
        if user is None:
            return self.signed_out(request)
        if self._elsewhere(request) is not None:
            return await self.listing(request, user, status=403)
        form = await form_of(request, slowest=self._portal.patience.form)
        value = self.browser(request)
        if form is None or value is None or not browsers.is_form_token(form.get("token", ""), value, user.name):
            message = Message(words.text(self.language(request), "stale"), good=False)
            return await self.listing(request, user, message, status=403)
        return user, form, self._cookie(request, value)

    async def changing_connection(
        self, request: Request
    ) -> tuple[User, dict[str, str], browsers.Cookie, str] | Response:
        """Like `changing`; also returns the profile that the path names, or the page that it is not there."""
        ready = await self.changing(request)
        if isinstance(ready, Response):
            return ready
        profile = request.path_params["profile"]
        return (*ready, profile) if profile in self._portal.profiles else self.not_found(request)

    def _is_same_site(self, request: Request) -> bool:
        site = request.headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = request.headers.get("origin")
        # Of a page without referrer, as ours are, the origin of a form is "null" (W3C Fetch, "append Origin").
        return origin in (None, self._origin) or (origin == "null" and site == "same-origin")

    def _elsewhere(self, request: Request) -> Message | None:
        """What to say to a browser that uses another address, to which no sign-in comes back."""
        here, url = other_address(self._portal.url, request.headers.get("host", "")), self._portal.url
        if here is None:
            return None
        return Message(words.text(self.language(request), "other-address", here=here, url=url), good=False)

    def browser(self, request: Request) -> str | None:
        """The value of the browser's cookie, if it is one of ours."""
        # Each browser has one of the names: what another server of this machine sets under the other is not ours.
        value = request.cookies.get(browsers.LOOPBACK_COOKIE if self._takes_no_prefix(request) else browsers.COOKIE)
        return value if browsers.is_value(value) else None

    def token(self, request: Request, user: User) -> str:
        """A form token for a browser that has a cookie already."""
        return browsers.form_token(self.browser(request) or "", user.name)

    def _cookie(self, request: Request, value: str) -> browsers.Cookie:
        if self._takes_no_prefix(request):
            return browsers.Cookie(browsers.LOOPBACK_COOKIE, value, secure=False)
        return browsers.Cookie(browsers.COOKIE, value)

    def _takes_no_prefix(self, request: Request) -> bool:
        """Safari sends no Secure cookie over http, not even on loopback; it is told by what Chromium does not say."""
        agent = request.headers.get("user-agent", "")
        return self._loopback and "Safari/" in agent and "Chrom" not in agent

    def language(self, request: Request) -> str:
        """The language of the page."""
        return self._portal.language or words.language_of(request.headers.get("accept-language", ""))

    def page(
        self, request: Request, body: bytes, status: int = 200, *, cookie: browsers.Cookie | None = None
    ) -> Response:
        """An answer that is a page."""
        answer = Response(body, status, headers=frame.HEADERS)
        if cookie is not None and request.cookies.get(cookie.key) != cookie.value:
            answer.set_cookie(cookie.key, cookie.value, path="/", secure=cookie.secure, httponly=True, samesite="lax")
        return answer

    def json(self, content: dict[str, Any], status: int = 200) -> Response:
        """An answer that is JSON."""
        headers = {name: value for name, value in frame.HEADERS.items() if name != "Content-Type"}
        return JSONResponse(content, status, headers=headers)

    def onward(self, path: str) -> Response:
        """An answer that leads to a page of the host application, with the headers that every answer has."""
        answer = RedirectResponse(path, 303)
        answer.headers.update(frame.HEADERS)
        return answer

    async def listing(
        self,
        request: Request,
        user: User,
        message: Message | None = None,
        *,
        status: int = 200,
        listed: list[Connection] | None = None,
    ) -> Response:
        """The page of connections, with what has just happened; ``listed`` are those that were looked at just now."""
        try:
            listed = await self.connections_of(user) if listed is None else listed
        except CacheError:
            return self.store_away(request, reload=request.method == "GET")
        value = self.browser(request) or browsers.new_value()
        form = Form(self._portal.path, browsers.form_token(value, user.name), self._portal.new_tab)
        administers = await self.is_admin(user)
        extra = connections_page.administration_link(self.language(request), self._portal.path) if administers else ""
        now, message = self._portal.cache.now(), message or self._elsewhere(request)
        shown = connections_page.overview(
            self.language(request), user.name, listed, form, message=message, extra=extra, now=now
        )
        answer = self.page(request, shown, status, cookie=self._cookie(request, value))
        if self._portal.new_tab:
            answer.headers["Content-Security-Policy"] = tabs.policy(self._portal.url)
        return answer

    async def connections_of(self, user: User) -> list[Connection]:
        """How the connections of a user stand.

        Raises:
            CacheError: The store cannot be read.
        """
        reliance = await self.reliance()
        return await self._threads.run(threads.STORE, self._portal.connections, user, reliance=reliance)

    async def reliance(self) -> Reliance:
        """What runs without a person, asked once for a page; the host application's callable may block."""
        if not self._portal.asks_for_schedules:
            return self._portal.reliance()
        return await self._threads.run(threads.SCHEDULES, self._portal.reliance)

    async def is_admin(self, user: User) -> bool:
        """Whether a user administers the portal; the host application's callable may block."""
        if not self._portal.permissions.asks_for_admin:
            return self._portal.is_admin(user)
        return await self._threads.run(threads.CALLABLES, self._portal.is_admin, user)

    def refused(self, request: Request, error: HTTPException, *, as_json: bool) -> Response:
        """An answer with the status and headers that a route, or a callable of the host application, has raised."""
        language = self.language(request)
        title, more = {401: ("signed-out", "signed-out-more"), 403: ("forbidden", "forbidden-more")}.get(
            error.status_code, ("not-found", "not-found-more")
        )
        answer = self.page(request, pages.notice(language, title, more, base=self._portal.path), error.status_code)
        if as_json:
            answer = self.json({"error": title.replace("-", "_")}, error.status_code)
        for name, value in (error.headers or {}).items():  # such as Allow, WWW-Authenticate or Location
            if name.title() not in frame.HEADERS and name.lower() not in _OF_THE_BODY:
                answer.headers[name] = value
        return answer

    def not_found(self, request: Request) -> Response:
        """Anything that is not there, or is not this user's: in the same words."""
        return self.page(
            request, pages.notice(self.language(request), "not-found", "not-found-more", base=self._portal.path), 404
        )

    def store_away(self, request: Request, *, reload: bool = False) -> Response:
        """The store cannot be reached; the very same request works later."""
        notice = pages.notice(self.language(request), "later", "later-more", base=self._portal.path, reload=reload)
        return self.page(request, notice, 503)

    def misconfigured(self, request: Request, error: ConfigurationError) -> Response:
        """A setting does not hold: what the reader can tell the administrator, and the ways back and on."""
        own, again = text_of(error), request.method == "GET"
        key, values, quoted = own if own is not None else ("misconfigured", {}, error.message)
        notice = pages.notice(
            self.language(request), "broken", key, values, base=self._portal.path, reload=again, quoted=quoted
        )
        return self.page(request, notice, 500)

    def busy(self, request: Request) -> Response:
        """Too many requests wait for the same; this one works when it comes again."""
        again = request.method == "GET"
        notice = pages.notice(self.language(request), "later", "busy-more", base=self._portal.path, reload=again)
        return _later(self.page(request, notice, 503))

    def busy_json(self) -> Response:
        """The same for a program."""
        return _later(self.json({"error": "busy"}, 503))

    def framed_twice(self, request: Request) -> Response:
        """A request that says in two ways where it ends; nothing that follows it on its connection is read."""
        answer = self.page(request, pages.notice(self.language(request), "broken", "framed-twice"), 400)
        answer.headers["Connection"] = "close"
        return answer

    def signed_out(self, request: Request) -> Response:
        """The host application knows no user at this browser."""
        return self.page(request, pages.notice(self.language(request), "signed-out", "signed-out-more"), 401)


def _later(answer: Response) -> Response:
    answer.headers["Retry-After"] = "10"
    return answer


async def form_of(request: Request, *, slowest: float) -> dict[str, str] | None:
    """The fields of a form; ``None`` if there is none that we take.

    Args:
        request: Which may bring one.
        slowest: Seconds within which it has to be here.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    body = b""
    try:
        with anyio.fail_after(slowest):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LONGEST_FORM:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=20, keep_blank_values=True, errors="strict"))
    except ValueError:
        return None
