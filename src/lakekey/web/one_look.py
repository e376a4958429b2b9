"""What one request of a user reads once: the app registrations, and what each profile signs in to.

It ends with the request. Nothing is kept for the next one, which sees every change.
"""

from collections.abc import Mapping
from typing import Protocol

from lakekey.cache.app_registrations import AppRegistration
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError
from lakekey.web import app_choice
from lakekey.web.people import User
from lakekey.web.registrations import Registrations
from lakekey.web.sign_in import hosted_target
from lakekey.web.told import retold, told


class Offers(Protocol):
    """What a look asks of a portal; `lakekey.web.service.PortalService` has it."""

    url: str
    profiles: tuple[str, ...]
    environ: Mapping[str, str]
    registrations: Registrations


class OneLook:
    """Profiles and registrations as they are at the time of one request; a sign-in and the page after it agree.

    Args:
        service: The portal.
        user: Whose request it is.
    """

    def __init__(self, service: Offers, user: User) -> None:
        self._service = service
        self._user = user
        self._apps: list[AppRegistration] | None = None
        self._targets: dict[str, Target] = {}

    def target(self, profile: str) -> Target:
        """What the user's connection signs in to.

        Raises:
            ConfigurationError: There is no such profile here.
        """
        if profile not in self._targets:
            self._targets[profile] = self._resolved(profile)
        return self._targets[profile]

    def app_of(self, target: Target) -> AppRegistration | None:
        """The app through which a target is signed in to; ``None`` if none is registered."""
        return app_choice.app_of(target, self._service.registrations, self._service.url, self._registered())

    def _resolved(self, profile: str) -> Target:
        offered, environ = self._service.profiles, self._service.environ
        if profile not in offered:
            raise told(
                "e-no-profile", f"this portal has no profile {profile!r}", hint=f"it has: {', '.join(offered)}",
                of=profile,
            )  # fmt: skip
        try:
            return hosted_target(profile, self._user, environ, registered=self._registered)
        except ConfigurationError as error:
            raise retold("e-not-set-up", error, of=profile) from None

    def _registered(self) -> list[AppRegistration]:
        if self._apps is None:
            self._apps = self._service.registrations.all()
        return self._apps
