"""Who administers a portal, and who may act for another user: only if the host application answers ``True``."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.errors import ConfigurationError
from lakekey.observability import audit
from lakekey.web.people import User, user_of

IsAdmin = Callable[[User], bool] | Collection[str] | None
MayAct = Callable[[User, User, str], bool]


class Permissions:
    """What the host application allows its users.

    Args:
        admin: Who administers: names, or a callable that gets the `User`. A `User` with an id is that person only.
        may_act: Says whether a user may act as another: gets the actor, the other, and the profile.

    Raises:
        ConfigurationError: One of them is a coroutine function.
    """

    def __init__(self, admin: IsAdmin, may_act: MayAct | None) -> None:
        refuse_coroutines(admin=admin, may_act=may_act)
        self._admin = [admin] if isinstance(admin, str | User) else admin
        self._may_act = may_act

    @property
    def asks_for_admin(self) -> bool:
        """Whether a callable of the host application says who administers; it may block."""
        return callable(self._admin)

    def is_admin(self, user: User) -> bool:
        """Whether a user administers."""
        if self._admin is None:
            return False
        if callable(self._admin):
            return _is_yes("admin", self._admin(user))
        return any(user.name == named.name and named.id in ("", user.id) for named in map(user_of, self._admin))

    def check_actor(self, actor: User, user: User, profile: str, *, environ: Mapping[str, str], cache: Cache) -> User:
        """Refuse an actor who may not act as a user, and record each who wants to act as another.

        Returns:
            The user, with the actor's id if they are one.

        Raises:
            ConfigurationError: The actor may not.
        """
        if actor.name == user.name and user.id in ("", actor.id):
            return actor
        allowed = self._may_act is not None and _is_yes("may_act", self._may_act(actor, user, profile))
        audit.record(
            audit.ADMINISTRATION, environ=environ, outcome=audit.DONE if allowed else audit.REFUSED,
            action="act_as_another", detail=actor.name, who=user.name, profile=profile, store=cache.store.where,
        )  # fmt: skip
        if not allowed:
            raise ConfigurationError(
                f"{actor.name} may not act as {user.name}", hint="may_act of the portal decides", profile=profile
            )
        return user


def refuse_coroutines(**given: Any) -> None:
    """Refuse coroutine functions where an answer is needed at once: a coroutine that has not run is not an answer."""
    for name, function in given.items():
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
            raise ConfigurationError(
                f"{name} is a coroutine function, and its answer is needed at once", hint="make it a plain function"
            )


def _is_yes(name: str, answer: Any) -> bool:
    """Whether a callable of the host application says yes: with ``True``, not with whatever counts as true."""
    if not isinstance(answer, bool):
        _log.warning(
            "web", "%s answered with %s, which counts as no: return True or False", name, type(answer).__name__
        )
        if inspect.iscoroutine(answer):
            answer.close()  # it will not run, and Python is not to complain about that
    return answer is True
