"""Whether a schedule will be able to sign in, before it runs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from lakekey.web import connections
from lakekey.web.connections import Connection, Schedule
from lakekey.web.people import User, user_of
from lakekey.web.reliance import Reliance
from lakekey.web.service import PortalService

OK, WARNING, FAILS = "ok", "warning", "fails"


class ScheduleCheck(NamedTuple):
    """What a schedule will sign in as.

    Attributes:
        schedule: Its name.
        profile: Its profile.
        user: Who made it.
        verdict: ``ok``, ``warning`` (it runs for now), or ``fails``.
        acts_as: The service principal, or the person; ``None`` if it cannot sign in.
        reason: Why, in a sentence.
        connection: The connection that it relies on, where it relies on a person's.
        url: Where that person connects.
    """

    schedule: str
    profile: str
    user: str
    verdict: str
    acts_as: str | None
    reason: str
    connection: Connection | None
    url: str

    def as_json(self) -> dict[str, Any]:
        """As ``lakekey web check --json`` shows it."""
        connection = self.connection.as_json() if self.connection is not None else None
        return {**self._asdict(), "connection": connection}


def check(service: PortalService, schedules: Iterable[Schedule]) -> list[ScheduleCheck]:
    """Check schedules.

    Args:
        service: The portal.
        schedules: What runs without a person.

    Raises:
        ConfigurationError: A schedule names a profile that the portal does not have, or no possible user.
        CacheError: The store cannot be read.
    """
    reliance = service.reliance()
    return [_checked(service, each, reliance) for each in schedules]


def _checked(service: PortalService, schedule: Schedule, reliance: Reliance) -> ScheduleCheck:
    user = user_of(schedule.user)
    named = schedule.name, schedule.profile, schedule.user.name if isinstance(schedule.user, User) else schedule.user
    connection = service.connection(user, schedule.profile, reliance=reliance)
    url = service.page_of(schedule.profile)
    if connection.principal is not None:
        reason = f"it acts as the service principal {connection.principal}"
        return ScheduleCheck(*named, OK, connection.principal, reason, None, url)
    relies = f"no service principal is configured, so it relies on the connection of {user.name}"
    if connection.state not in connections.USABLE:
        state = connection.state.replace("-", " ")
        return ScheduleCheck(*named, FAILS, None, f"{relies}, which is: {state}", connection, url)
    ends = f", which ends at {connection.ends_at.isoformat(timespec='minutes')}" if connection.ends_at else ""
    return ScheduleCheck(*named, WARNING, connection.who, f"{relies}{ends}", connection, url)
