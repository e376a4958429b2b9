"""The portal in Airflow's UI: a page on which people who develop connect to Databricks as themselves.

Off unless ``[lakekey] portal_profiles`` is set. Who is at the browser says Airflow's own session, whichever auth
manager is configured. Tasks stay automation: no hook uses what is connected here.
"""

from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.plugins_manager import AirflowPlugin

from lakekey import _log
from lakekey.errors import ConfigurationError, LakekeyError

if TYPE_CHECKING:
    from lakekey.web import User
    from lakekey.web.portal import Portal

#: The page's path below Airflow's own address.
PREFIX = "/lakekey"
#: Airflow's name for those who may do everything; `SimpleAuthManager` says it of a user.
_ADMIN = "ADMIN"
_SECTION = "lakekey"
#: Whether the user of this request administers. `Portal` asks by name, and a role is in the session's token.
_administers: ContextVar[bool] = ContextVar("lakekey_portal_admin", default=False)


class LakekeyPortalPlugin(AirflowPlugin):  # type: ignore[misc]
    """Mounts the portal in Airflow's API server, and adds it to the menu."""

    name = "lakekey_portal"

    # Airflow reads these in the API server only: other components, and most tasks, never import the portal.
    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The portal under its path, or nothing where it is off or cannot be."""
        try:
            portal = portal_of_airflow()
        except LakekeyError as error:
            # Airflow has other work to do, so it is not kept from starting.
            _log.warning("airflow", "the page of Databricks connections is not served: %s", error)
            return []
        if portal is None:
            return []
        return [{"app": WithoutLoggedQueries(portal), "url_prefix": PREFIX, "name": "Databricks connections"}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:
        """The entry in the menu of the user.

        It has no ``url_route``: Airflow would show the page in a frame, which the page refuses. Outside of a menu, such
        an entry is a button of Airflow 3.3 that leads nowhere.
        """
        entry = {"destination": "nav", "category": "user"}
        return [{"name": each["name"], "href": f"{each['app'].url}/", **entry} for each in self.fastapi_apps]


class WithoutLoggedQueries:
    """The portal, with the queries of its requests kept out of Airflow's access log (RFC 9700 §4.2).

    Airflow logs a request from its scope when that is answered, and a callback's query has the authorization code.

    Args:
        portal: The portal.
    """

    def __init__(self, portal: "Portal") -> None:
        self._portal = portal
        self.url = portal.url

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        asked = dict(scope)
        if "query_string" in scope:
            scope["query_string"] = b""
        await self._portal(asked, receive, send)


def portal_of_airflow() -> "Portal | None":
    """The portal that Airflow's configuration describes; ``None`` if no profile is named.

    Raises:
        ConfigurationError: It cannot be served.
    """
    from airflow.configuration import conf

    def words(name: str) -> list[str]:
        given = str(conf.get(_SECTION, name, fallback="")).split(",")  # not at blanks, which names may have
        return [each.strip() for each in given if each.strip()]

    profiles = words("portal_profiles")
    if not profiles:
        return None
    if _is_one_person(conf):
        raise ConfigurationError(
            "[core] simple_auth_manager_all_admins makes all visitors of Airflow one person",
            hint="have people sign in to Airflow, each with an account of their own",
        )
    from lakekey.web import Portal

    address = conf.get("api", "base_url", fallback="") or f"http://localhost:{conf.getint('api', 'port')}"
    return Portal(
        profiles,
        url=f"{address.rstrip('/')}{PREFIX}",
        user=_Person(frozenset(words("portal_admins"))),
        admin=lambda _: _administers.get(),
        automation=dict(_pair(each) for each in words("portal_automation")),
    )


class _Person:
    """Who is at the browser, by Airflow's session.

    Args:
        admins: Airflow's ids of those who administer, beside Airflow's own administrators. Not names: with some auth
            managers, people choose their own.
    """

    def __init__(self, admins: frozenset[str]) -> None:
        self._admins = admins

    async def __call__(self, request: Any) -> "User | None":
        from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
        from fastapi import HTTPException

        from lakekey.web import User

        _administers.set(False)
        try:
            found = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            return None
        # A public role has visitors without a sign-in: they would be one person, who shares one connection.
        known = found is not None and not getattr(found, "is_anonymous", False)
        given = found.get_id() if known else None
        if given in (None, ""):
            return None
        unique = str(given)
        is_admin = str(getattr(found, "role", "")).upper() == _ADMIN
        _administers.set(is_admin or unique in self._admins)
        # Airflow's names need not be of one person only, and may differ by case alone; its ids are.
        return User(str(found.get_name()), unique)


def _is_one_person(conf: Any) -> bool:
    from airflow.api_fastapi.app import get_auth_manager_cls
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    all_admins = conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False)
    return bool(all_admins) and issubclass(get_auth_manager_cls(), SimpleAuthManager)


def _pair(text: str) -> tuple[str, str]:
    person, _, service = text.partition("=")
    if not person or not service:
        raise ConfigurationError(
            f"[lakekey] portal_automation has {text!r}, which is not a pair",
            hint="portal_automation = PROFILE=PROFILE-OF-THE-SERVICE-PRINCIPAL",
        )
    return person, service
