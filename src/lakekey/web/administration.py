"""The administrator's routes: app registrations, and the connections of all users. To all others they are not there."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lakekey import _log, _moments
from lakekey.errors import CacheError, LakekeyError, StoreUnavailable, TokenEndpointError
from lakekey.web import browser as browsers
from lakekey.web import threads
from lakekey.web.administration_page import View, administration
from lakekey.web.administrator import ACTIONS, Administrator
from lakekey.web.everyone import Everyone
from lakekey.web.pages import Form, Message, error_message
from lakekey.web.people import User
from lakekey.web.reliance import Reliance
from lakekey.web.told import key_of, text_of, with_step
from lakekey.web.visits import Visits

#: Changes may wait for any authorization server, so they have a few threads of their own.
_ADMINISTRATION = "administration"
_LONGEST_SEARCH = 320


class Administration(Visits):
    """The routes of those who administer."""

    def all(self) -> list[Route]:
        """The routes."""
        return [Route("/admin", self.show, methods=["GET"]), Route("/admin", self.change, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The page."""
        user = await self.user(request)
        if user is None or not await self.is_admin(user):
            return self.not_found(request)
        return await self._page(request, user)

    async def change(self, request: Request) -> Response:
        """One change, by a form of the page; or the trial of an app, which changes nothing."""
        ready = await self.changing(request)
        if isinstance(ready, Response):
            return ready
        user, form, _ = ready
        if not await self.is_admin(user):
            return self.not_found(request)
        _log.info("web", "%s administers: %s", user.name, form["do"] if form.get("do") in ACTIONS else "?")
        reliance = await self.reliance()
        try:
            administrator = Administrator(self._portal, self.language(request), user, reliance)
            said = await self._threads.run(_ADMINISTRATION, administrator.do, form)
        except StoreUnavailable:
            return self.store_away(request)
        except LakekeyError as error:  # told as it is: a part may be done, or an entry cannot be read
            status = 503 if isinstance(error, CacheError | TokenEndpointError) else 409
            message = error_message(self.language(request), error, to_administrator=True)
            own = text_of(error)  # a mistyped name, or a page that is out of date
            log = _log.info if own is not None and not own.quoted else _log.warning
            log("web", "an administrator's change failed: %s", with_step(error))
            # What another administrator has changed meanwhile is shown as it is now, and not what was typed over it.
            stays = form.get("do") in ("add", "set", "default") and key_of(error) != "e-meanwhile"
            given = {**form, "secret": ""} if stays else None
            return await self._page(request, user, message, status, given=given)
        return await self._page(request, user, Message(said, good=True))

    async def _page(
        self,
        request: Request,
        user: User,
        message: Message | None = None,
        status: int = 200,
        *,
        given: Mapping[str, str] | None = None,
    ) -> Response:
        language = self.language(request)
        value = self.browser(request) or browsers.new_value()
        form = Form(self._portal.path, browsers.form_token(value, user.name))
        search = request.query_params.get("user", "")[:_LONGEST_SEARCH]
        reliance = await self.reliance()
        try:
            view = await self._threads.run(threads.STORE, self._view, reliance, search, given)
        except CacheError:
            return self.store_away(request)
        shown = administration(language, view, form, message)
        return self.page(request, shown, status, cookie=self._cookie(request, value))

    def _view(self, reliance: Reliance, search: str, given: Mapping[str, str] | None) -> View:
        return View(
            self._portal.registrations.counted(),
            Everyone(self._portal, reliance=reliance).all(),
            self._portal.url,
            _moments.utc(self._portal.cache.now()),
            search,
            given,
        )
