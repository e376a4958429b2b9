"""Which of a portal's profiles leads to an entry today."""

from lakekey.cache.entry import entry_id
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError
from lakekey.web.people import ANY_USER, User
from lakekey.web.service import PortalService


class ProfileTargets:
    """The targets of a portal's profiles, each resolved once, however many entries are looked at.

    Args:
        service: The portal.
    """

    def __init__(self, service: PortalService) -> None:
        self._service = service
        self._targets: dict[str, Target | None] = {}

    def leading_to(self, wanted: str, profile: str, host: str, user: User) -> Target | None:
        """A target that has an entry.

        Args:
            wanted: The entry's id.
            profile: The profile that it was made for, which is looked at first.
            host: Its workspace, whose other profiles come next: the one that it was made for may have been renamed.
            user: Whose it is.
        """
        others = [each for each in self._service.profiles if self._service.server_of(each) == host]
        for name in dict.fromkeys([profile, *others]):
            target = self._target(name)
            if target is not None and entry_id((own := target.of_user(user.name)).cache_key_fields()) == wanted:
                return own
        return None

    def _target(self, profile: str) -> Target | None:
        """What any user of a profile signs in to; ``None`` if the profile is missing or invalid."""
        if profile not in self._targets:
            try:
                self._targets[profile] = self._service.target(profile, ANY_USER)
            except ConfigurationError:
                self._targets[profile] = None
        return self._targets[profile]
