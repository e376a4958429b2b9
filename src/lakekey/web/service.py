"""What the portal does without a browser: whose connection is which, and the providers for its users."""

import functools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from lakekey import _log
from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target, resolve
from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.providers.provider import Provider
from lakekey.session.login_required import login_required
from lakekey.session.session import Session
from lakekey.web import access_log, app_choice
from lakekey.web.app_form import check_public_address
from lakekey.web.connections import ASK_ADMINISTRATOR, Connection, connection_of, is_of
from lakekey.web.one_connection import OneConnection
from lakekey.web.one_look import OneLook
from lakekey.web.owned import OwnedSource
from lakekey.web.pages import fragment
from lakekey.web.patience import Patience
from lakekey.web.people import User, user_of
from lakekey.web.permissions import IsAdmin, MayAct, Permissions, refuse_coroutines
from lakekey.web.portal_store import PortalStore
from lakekey.web.profile_checks import servers_of
from lakekey.web.provider_cache import ProviderCache
from lakekey.web.reliance import Reliance, Schedules, ask
from lakekey.web.told import with_step

UserOf = Callable[[Any], "User | str | Awaitable[User | str | None] | None"]


class PortalService(PortalStore):
    """The users of a service and their connections.

    Args:
        profiles: The profiles that users connect to.
        url: The portal's own address, as browsers see it, such as ``https://app.example.com/lakekey``. Redirect URIs
            are made from it, never from a request.
        user: Says who is at the browser: gets Starlette's ``Request``; returns a name, a `User`, or ``None`` for a
            visitor who is not signed in to the host application. It may be a coroutine function.
        admin: Who administers: names, or a callable that gets the `User`. A `User` with an id is that person only. The
            callable is not a coroutine function; only ``True`` counts as a yes.
        automation: Profile for people → profile of the service principal that schedules use for the same workspace.
        schedules: Says what runs without a person, so that the page warns where a schedule relies on a connection, and
            an administrator sees what depends on a person. It is asked once for each page.
        may_act: Says whether a user may act as another: gets the actor, the other, and the profile. Without it, only
            calls that name no actor, or the same person, are served. Of its answers, too, only ``True`` is a yes.
        warn_days: Days before its end at which a connection counts as near its end.
        language: ``en`` or ``de``; ``None`` to go by the browser's.
        new_tab: Whether a sign-in has a tab of its own, and the page stays where it is.
        environ: The environment, which names store, key and configuration; ``None`` for this process's.

    Raises:
        ConfigurationError: The address is not ``https`` or loopback, a profile cannot be used, or ``admin`` or
            ``may_act`` is a coroutine function.
    """

    def __init__(
        self,
        profiles: Iterable[str],
        *,
        url: str,
        user: UserOf,
        admin: IsAdmin = None,
        automation: Mapping[str, str] | None = None,
        schedules: Schedules | None = None,
        may_act: MayAct | None = None,
        warn_days: float = 3.0,
        language: str | None = None,
        new_tab: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.url = check_public_address(url.rstrip("/"), "url")
        self.profiles = tuple(dict.fromkeys([profiles] if isinstance(profiles, str) else profiles))
        self.user = user
        self.language = language
        self.new_tab = new_tab
        super().__init__(os.environ if environ is None else environ)
        self.warning = warn_days * 86400.0
        self.permissions = Permissions(admin, may_act)
        refuse_coroutines(schedules=schedules)
        self._automation = dict(automation or {})
        self._schedules = schedules
        self._providers = ProviderCache()
        self.patience = Patience()
        self._servers = servers_of(self.profiles, self._automation, self.environ)
        access_log.install()

    def __repr__(self) -> str:
        return f"<lakekey.web.{type(self).__name__} {self.url}: {', '.join(self.profiles)}>"

    @property
    def path(self) -> str:
        """The path that it is mounted under, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")

    # -- acting as a user ---------------------------------------------------------------------------------------

    def provider(self, user: User | str, profile: str, *, actor: User | str | None = None) -> Provider:
        """The provider that acts as a user, wherever the store is; it serves one user and no other.

        Where the user has an id, it ends as well when the name's connection becomes another person's.

        Args:
            user: Whose connection to use.
            profile: Which connection.
            actor: Who wants to act, where that is another user than ``user``; ``may_act`` decides.

        Raises:
            LoginRequired: The user is not connected; it has the link to the user's page.
            ConfigurationError: There is no such profile here, or the actor may not act as that user.
        """
        who = user_of(user)
        who = self.check_actor(who, profile, actor)
        looked_at = time.monotonic()  # before the store is: the bound counts from what is known of it
        if (found := self._providers.find(who, profile, looked_at)) is not None:
            return found
        with self.cache.together():
            target = self.target(profile, who)
            session = self.session(target)
            entry = session.peek()
        if entry is None or not is_of(entry, who) or not (entry.refresh_token or session.serves(entry)):
            self._providers.drop(who, profile)
            raise self._login_required(target, entry if entry is not None and is_of(entry, who) else None)
        session.credential.keep_near(entry)  # what this host had kept may be the token of the account before
        around = functools.partial(OwnedSource, user=who) if who.id else None
        provider = Provider(target, around=around, environ=self.environ)
        self._providers.keep(who, profile, looked_at, provider)
        return provider

    def connection(
        self, user: User | str, profile: str, *, reliance: Reliance | None = None, look: OneLook | None = None
    ) -> Connection:
        """How a user's connection stands.

        Args:
            user: Whose.
            profile: Which.
            reliance: What runs without a person; ``None`` to ask the host application.
            look: What the request that asks has read already.

        Raises:
            ConfigurationError: There is no such profile here.
            CacheError: The store cannot be read.
        """
        who = user_of(user)
        look = look or OneLook(self, who)
        target = look.target(profile)
        app = look.app_of(target)
        return self.connection_of(
            target,
            self.session(target).peek(),
            who,
            self.reliance() if reliance is None else reliance,
            registration=app.name if app is not None else "",
            principal=self._principal(profile),
        )

    def connection_of(
        self,
        target: Target,
        entry: Entry | None,
        user: User,
        reliance: Reliance,
        *,
        registration: str = "",
        principal: str | None = None,
    ) -> Connection:
        """The connection that an entry is, with dates and states by the store's clock."""
        entry = self.cache.in_store_time(entry) if entry is not None else None
        return connection_of(
            target,
            entry,
            user,
            registration=registration,
            principal=principal,
            warning=self.warning,
            now=self.cache.now(),
        )._replace(schedules=reliance.on(user, target.profile or ""))

    @property
    def asks_for_schedules(self) -> bool:
        """Whether a callable of the host application says what runs without a person; it may block."""
        return self._schedules is not None

    def reliance(self) -> Reliance:
        """What runs without a person, asked of the host application, whose callable may block."""
        return ask(self._schedules, self._automation)

    def connections(
        self, user: User | str, *, reliance: Reliance | None = None, look: OneLook | None = None
    ) -> list[Connection]:
        """How all connections of a user stand; for the arguments see `connection`.

        One whose profile is missing or invalid is for the administrator, and takes no other along.
        """
        known = self.reliance() if reliance is None else reliance
        seen = look or OneLook(self, user_of(user))
        with OneConnection(self.cache):
            return [self._connection_or_why(user, profile, known, seen) for profile in self.profiles]

    def _connection_or_why(self, user: User | str, profile: str, reliance: Reliance, look: OneLook) -> Connection:
        try:
            return self.connection(user, profile, reliance=reliance, look=look)
        except ConfigurationError as error:
            _log.warning("web", "%s cannot be used: %s", profile, with_step(error))
            return Connection(profile, self.server_of(profile), (), ASK_ADMINISTRATOR, why=error.message)

    def disconnect(self, user: User | str, profile: str) -> tuple[bool, str | None]:
        """Remove a user's connection for every process, and revoke it.

        Args:
            user: Whose.
            profile: Which.

        Returns:
            Whether there was one; and what became of it at the server (`lakekey.oauth.revocation`). The connection of
            an earlier person with that name is not this user's, and stays.
        """
        who = user_of(user)
        target = self.target(profile, who)
        session = self.session(target)
        self.forget(who.name, profile)
        done = session.sign_out(lambda entry: is_of(entry, who), whose=who.id)
        self.forget(who.name, profile)  # what was made while it was removed
        _log.info("web", "%s: %s disconnected (%s)", profile, who.name, done.revocation or "nothing to revoke")
        return done.removed is not None, done.revocation

    def forget(self, user: str, profile: str) -> None:
        """Serve no provider of a user that was made before."""
        self._providers.forget(user, profile)

    # -- what the routes stand on -------------------------------------------------------------------------------

    def target(self, profile: str, user: User) -> Target:
        """What a user's connection signs in to.

        Raises:
            ConfigurationError: There is no such profile here.
        """
        return OneLook(self, user).target(profile)

    def session(self, target: Target) -> Session:
        """The session that a user's connection is."""
        return Session(target, cache=self.sign_ins.cache_of(target), environ=self.environ)

    def app_of(self, target: Target) -> AppRegistration | None:
        """The app through which a target is signed in to; ``None`` if none is registered."""
        return app_choice.app_of(target, self.registrations, self.url)

    def server_of(self, profile: str) -> str:
        """The host whose authorization server a profile's sign-ins wait for."""
        return self._servers.get(profile, profile)

    def page_of(self, profile: str) -> str:
        """The address of a connection on the page."""
        return f"{self.url}/#{fragment(profile)}"

    def redirect_uri(self, registration: str) -> str:
        """The redirect URI to register for an app."""
        return app_choice.redirect_uri(self.url, registration)

    def is_admin(self, user: User) -> bool:
        """Whether a user administers."""
        return self.permissions.is_admin(user)

    def check_actor(self, user: User, profile: str, actor: User | str | None) -> User:
        """Refuse an actor who may not act as a user. Returns the user, with the actor's id if they are one."""
        if actor is None:
            return user
        return self.permissions.check_actor(user_of(actor), user, profile, environ=self.environ, cache=self.cache)

    # -- inside -------------------------------------------------------------------------------------------------

    def automation_of(self, profile: str) -> str | None:
        """The profile of the service principal that acts in place of people, or ``None``."""
        return self._automation.get(profile)

    def _principal(self, profile: str) -> str | None:
        service = self.automation_of(profile)
        return resolve(service, self.environ).client_id if service is not None else None

    def _login_required(self, target: Target, entry: Entry | None) -> LoginRequired:
        page = self.page_of(target.profile or "")
        error = login_required(target, entry)
        return LoginRequired(error.message, hint=f"{target.user} connects at {page}", profile=target.name, url=page)
