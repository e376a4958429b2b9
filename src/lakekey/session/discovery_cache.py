"""Discovery, remembered in the sealed cache: for an hour, failures for a minute.

So a new process that refreshes makes the token request and no other. What is remembered is sealed like a token, so
no other token endpoint can be slipped in, and the refusal of foreign endpoints has been passed before it is stored.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import DISCOVERY, DISCOVERY_PREFIX, Entry, Failure
from lakekey.errors import CacheError, TokenEndpointError
from lakekey.oauth.discovery import Metadata

FRESH = 3600.0
FAILED = 60.0


class RememberedDiscovery:
    """Finds an authorization server, asking the network only where the cache does not know.

    Args:
        cache: The sealed cache.
        host: The host.
        account_id: The account, where configured.
        discovery_url: The document, where configured.
        find: Asks the network.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        host: str,
        account_id: str | None,
        discovery_url: str | None,
        find: Callable[[], Metadata],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._about = {"host": host, "account_id": account_id, "discovery_url": discovery_url}
        self._name = DISCOVERY_PREFIX + hashlib.sha256(json.dumps(self._about, sort_keys=True).encode()).hexdigest()
        self._find = find
        self._clock = clock

    def __call__(self) -> Metadata:
        """The metadata.

        Raises:
            ConfigurationError, TokenEndpointError: See `discover`; also one that happened less than a minute ago.
        """
        now = self._clock()
        remembered = self._recall()
        if remembered is not None and remembered.issued_at <= now < remembered.expires_at:
            if remembered.failure is None:
                fields = remembered.about["metadata"]
                return Metadata(**{name: fields[name] for name in Metadata._fields if name in fields})
            failure = remembered.failure
            status = int(failure.detail) if failure.detail else None
            raise TokenEndpointError(failure.message, status=status, hint=failure.hint)
        try:
            found = self._find()
        except TokenEndpointError as error:
            # An answer that is wrong stays wrong for a while. No answer may be a blip, which a retry outlives.
            if error.status is not None and error.status < 500 and error.status not in (408, 429):
                failure = Failure(error.code, error.message, now, error.hint, str(error.status))
                self._remember(now, FAILED, failure=failure)
            raise
        self._remember(now, FAILED if found.guessed else FRESH, metadata=found._asdict())
        return found

    def _recall(self) -> Entry | None:
        try:
            return self._cache.get(self._name)
        except CacheError:  # sealed under a key that is gone: found and sealed again
            return None

    def _remember(self, now: float, seconds: float, *, failure: Failure | None = None, **about: Any) -> None:
        entry = Entry(
            {"kind": DISCOVERY, **self._about, **about}, issued_at=now, expires_at=now + seconds, failure=failure
        )
        try:
            # No lock: the first and the last writer store the same.
            self._cache.put(self._name, entry, replaces=self._cache.store.get(self._name))
        except CacheError as unwritten:
            _log.debug("oauth", "discovery is not remembered: %s", unwritten.message)
