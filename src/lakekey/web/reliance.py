"""Which schedules rely on a person's connection, as the host application says at one moment."""

from collections.abc import Callable, Collection, Iterable

from lakekey import _log
from lakekey.web.connections import Schedule, is_same
from lakekey.web.people import User, user_of

Schedules = Callable[[], Iterable[Schedule]]


class Reliance:
    """What runs without a person. A page asks once, and looks each of its connections up in the answer.

    Args:
        named: The schedules; ``None`` if the host application does not say.
        automated: The profiles for people whose schedules act as a service principal.
    """

    def __init__(self, named: Iterable[Schedule] | None, automated: Collection[str]) -> None:
        self._schedules = None if named is None else list(named)
        self._automated = automated

    def on(self, user: User, profile: str) -> tuple[str, ...] | None:
        """The schedules that rely on a person's connection; none where a service principal is configured for them."""
        if self._schedules is None:
            return None
        if profile in self._automated:
            return ()
        try:
            named = [each for each in self._schedules if each.profile == profile]
            return tuple(str(each.name) for each in named if is_same(user_of(each.user), user))
        except Exception as error:  # noqa: BLE001 - connections are shown also where the host's schedules are malformed
            _log_unknown(error)
            return None


def ask(schedules: Schedules | None, automated: Collection[str]) -> Reliance:
    """Ask the host application, whose callable may block.

    Args:
        schedules: The callable, or ``None``.
        automated: As for `Reliance`.
    """
    try:
        return Reliance(None if schedules is None else schedules(), automated)
    except Exception as error:  # noqa: BLE001 - connections are shown also where the host's callable fails
        _log_unknown(error)
        return Reliance(None, automated)


def _log_unknown(error: Exception) -> None:
    _log.warning("web", "what runs without a person is not known: %s", type(error).__name__)
