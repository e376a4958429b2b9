"""What `Portal.require` is: a dependency that hands a route the provider of the user at the browser."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from lakekey import _log
from lakekey.errors import CacheError, CredentialsRefused, LakekeyError, LoginRequired, TokenEndpointError
from lakekey.providers.provider import Provider
from lakekey.web import pages, threads, words
from lakekey.web.frame import spelled
from lakekey.web.people import User
from lakekey.web.service import PortalService
from lakekey.web.told import with_step
from lakekey.web.visits import Visits


def requirement(portal: PortalService, profile: str) -> Callable[[Request], Awaitable[Provider]]:
    """See `Portal.require`."""
    visits = Visits(portal)
    page = portal.page_of(profile)
    turns = threads.Threads(portal.patience)

    async def connected(request: Request) -> Provider:
        reader = _Reader(request, visits.language(request))
        try:
            return await _provider(request, reader)
        except threads.Busy:
            message = reader.text("too many requests are waiting for an answer", "busy-more")
            raise HTTPException(503, message, headers={"Retry-After": "10"}) from None

    async def _provider(request: Request, reader: _Reader) -> Provider:
        user = await visits.user(request)
        if user is None:
            message = reader.text(f"no user is signed in to this service; connect at {page}", "signed-out-more")
            raise _not_connected(request, message, page)
        try:
            provider, waits_for = await turns.run(threads.STORE, _found, portal, user, profile)
            if waits_for is not None:
                await turns.run(waits_for, provider.token)
        except LoginRequired as error:
            url = error.url or page
            message = reader.text(f"{error.message}; connect at {url}", "connect-first", profile=profile, url=url)
            raise _not_connected(request, message, url) from None
        except (TokenEndpointError, CacheError, CredentialsRefused) as error:
            _log.warning("web", "%s: no token for %s: %s", profile, user.name, with_step(error))
            status = 502 if isinstance(error, CredentialsRefused) else 503
            raise HTTPException(status, reader.told(error)) from None
        return provider

    return connected


class _Reader:
    """Who reads an answer: a person at a browser, in that person's language, or a program, in English."""

    def __init__(self, request: Request, language: str) -> None:
        accepted = request.headers.get("accept", "")
        self._language = language if "text/html" in accepted and "application/json" not in accepted else ""

    def text(self, english: str, key: str, **values: str) -> str:
        return words.text(self._language, key, **values) if self._language else english

    def told(self, error: LakekeyError) -> str:
        if not self._language:
            return error.message
        message = pages.error_message(self._language, error)
        return f"{message.text} ({spelled(message.quoted)})" if message.quoted else message.text


def _found(portal: PortalService, user: User, profile: str) -> tuple[Provider, str | None]:
    """The provider, and what its token waits for: a live one for no authorization server, so for none that hangs."""
    provider = portal.provider(user, profile)
    if provider._source.is_fresh:  # noqa: SLF001 - as its own atoken() asks, which waits in threads without a bound
        return provider, None
    session = portal.session(provider.target)
    entry = session.peek()
    is_live = entry is not None and session.serves(entry)
    return provider, threads.STORE if is_live else portal.server_of(profile)


def _not_connected(request: Request, message: str, url: str) -> HTTPException:
    """401 with the link for a program, and the page itself for a person."""
    wants_json = "application/json" in request.headers.get("accept", "") or request.method != "GET"
    if wants_json:
        return HTTPException(401, message, headers={"Link": f'<{url}>; rel="login"'})
    return HTTPException(303, "sign in first", headers={"Location": url})
