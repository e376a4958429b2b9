"""What `Portal.require` is: a dependency that hands a route the provider of the user at the browser."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from lakekey.errors import CacheError, CredentialsRefused, LoginRequired, TokenEndpointError
from lakekey.providers.provider import Provider
from lakekey.web import threads
from lakekey.web.people import User
from lakekey.web.service import PortalService
from lakekey.web.visits import Visits


def requirement(portal: PortalService, profile: str) -> Callable[[Request], Awaitable[Provider]]:
    """See `Portal.require`."""
    visits = Visits(portal)
    page = portal.page_of(profile)

    async def connected(request: Request) -> Provider:
        wants_json = "application/json" in request.headers.get("accept", "") or request.method != "GET"
        try:
            return await _provider(request, wants_json=wants_json)
        except threads.Busy:
            message = "too many requests wait for the same answer"
            raise HTTPException(503, message, headers={"Retry-After": "10"}) from None

    async def _provider(request: Request, *, wants_json: bool) -> Provider:
        user = await visits.user(request)
        if user is None:
            raise _not_connected("no user is signed in to this service", page, wants_json=wants_json)
        try:
            provider, waits_for = await threads.run(threads.STORE, _found, portal, user, profile)
            if waits_for is not None:
                await threads.run(waits_for, provider.token)
        except LoginRequired as error:
            raise _not_connected(error.message, error.url or page, wants_json=wants_json) from None
        except (TokenEndpointError, CacheError) as error:
            raise HTTPException(503, error.message) from None
        except CredentialsRefused as error:
            raise HTTPException(502, error.message) from None
        return provider

    return connected


def _found(portal: PortalService, user: User, profile: str) -> tuple[Provider, str | None]:
    """The provider, and what its token waits for: a live one for no authorization server, so for none that hangs."""
    provider = portal.provider(user, profile)
    if provider._source.is_fresh:  # noqa: SLF001 - as its own atoken() asks, which waits in threads without a bound
        return provider, None
    session = portal.session(provider.target)
    entry = session.peek()
    is_live = entry is not None and session.serves(entry)
    return provider, threads.STORE if is_live else portal.server_of(profile)


def _not_connected(message: str, url: str, *, wants_json: bool) -> HTTPException:
    """401 with the link for a program, and the page itself for a person."""
    if wants_json:
        return HTTPException(401, f"{message}; connect at {url}", headers={"Link": f'<{url}>; rel="login"'})
    return HTTPException(303, "sign in first", headers={"Location": url})
