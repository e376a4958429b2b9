"""`Portal`: hosted sign-in as an ASGI application."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from lakekey._imports import libraries
from lakekey.providers.provider import Provider
from lakekey.web.connections import Schedule
from lakekey.web.everyone import Everyone
from lakekey.web.people import User
from lakekey.web.purposes import provider_for
from lakekey.web.schedules import ScheduleCheck, check
from lakekey.web.service import PortalService


class Portal(PortalService):
    """Hosted sign-in for many users: an ASGI application, to be mounted or served on its own.

    Its arguments are those of `lakekey.web.service.PortalService`: ``profiles``, and by name ``url``, ``user``,
    ``admin``, ``automation``, ``schedules``, ``may_act``, ``warn_days``, ``language``, ``new_tab`` and ``environ``.
    """

    _app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if self._app is None:
            with libraries():
                from lakekey.web.app import asgi_app

            self._app = asgi_app(self)
        await self._app(scope, receive, send)

    def require(self, profile: str) -> Callable[..., Awaitable[Provider]]:
        """A dependency for FastAPI, or a function for Starlette: the provider of the user at the browser.

        It answers 401 with the link where JSON is asked for, and otherwise leads to the page.

        Args:
            profile: Which connection.
        """
        with libraries():
            from lakekey.web.requirement import requirement

        return requirement(self, profile)

    def provider_for(
        self, user: User | str, profile: str, *, purpose: str, actor: User | str | None = None
    ) -> Provider:
        """The provider that suits a purpose: of two identities in one workspace, the one that should act.

        Args:
            user: Who develops, or who made the schedule.
            profile: Which connection; ``automation`` names the service principal beside it.
            purpose: ``develop``, as the person; ``schedule`` or ``index``, as the service principal. Where none is
                configured, these act as the person, with a warning.
            actor: As for `provider`.

        Raises:
            LoginRequired: The person has to act and is not connected; it has the link to that person's page.
            ConfigurationError: There is no such profile or purpose, or the actor may not act as that user.
        """
        return provider_for(self, user, profile, purpose, actor=actor)

    def check_schedules(self, schedules: Iterable[Schedule]) -> list[ScheduleCheck]:
        """Whether schedules will be able to sign in, before they run; see `lakekey.web.schedules`."""
        return check(self, schedules)

    @property
    def everyone(self) -> Everyone:
        """The connections of all users, for those who administer; see `lakekey.web.everyone`."""
        return Everyone(self)
