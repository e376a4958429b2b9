"""What the steps of a renewal have in common: each is one credential's, and uses its entry, its cache and its times."""

from typing import TYPE_CHECKING

from lakekey.session.failures import Failures

if TYPE_CHECKING:
    from lakekey.cache.cache import Cache
    from lakekey.session.credential import Credential


class CredentialPart:
    """A step of one credential.

    Args:
        credential: Whose entry it is.
    """

    def __init__(self, credential: "Credential") -> None:
        self._credential = credential
        self._target = credential.target
        self._timing = credential.timing
        self._failures = Failures(credential.target, credential.timing)
        self._events = credential.events
        self._cache = credential.cache
        self._entry_id = credential.entry_id

    def is_in(self, cache: "Cache") -> bool:
        """Whether it works on a cache, and not on one that was opened before."""
        return self._cache is cache
