"""The store of a portal, opened again in a process that has become another user's.

A server's worker is forked from a parent that runs as root, and then changes its user: what the parent had opened, it
may not read. `lakekey.session.credential` does the same for a session's cache.
"""

from collections.abc import Mapping
from typing import NamedTuple

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.cache.private_files import owner
from lakekey.web.registrations import Registrations
from lakekey.web.sign_in import SignIns


class _Opened(NamedTuple):
    cache: Cache
    sign_ins: SignIns
    registrations: Registrations
    owner: int | None  # whose process opened it; of a store that hosts share none, since it is no file of one user's


class PortalStore:
    """The store that an environment names, and what a portal keeps in it, as this process's user may use it.

    Each look at it raises `ConfigurationError` or `CacheError` where the process has become another user's, who cannot
    use it.

    Args:
        environ: The environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self._opened = self._open()

    @property
    def cache(self) -> Cache:
        """The store."""
        return self._now().cache

    @property
    def sign_ins(self) -> SignIns:
        """The sign-ins that are on their way."""
        return self._now().sign_ins

    @property
    def registrations(self) -> Registrations:
        """The apps."""
        return self._now().registrations

    @registrations.setter
    def registrations(self, registrations: Registrations) -> None:
        self._opened = self._opened._replace(registrations=registrations)

    def _now(self) -> _Opened:
        if self._opened.owner not in (None, owner()):
            self._opened = self._open()
        return self._opened

    def _open(self) -> _Opened:
        whose, cache = owner(), open_cache(self.environ)
        if cache.volatile:
            _log.warning("web", "connections are kept in the memory of this process only: %s", cache.volatile)
        sign_ins, registrations = SignIns(cache, environ=self.environ), Registrations(cache)
        return _Opened(cache, sign_ins, registrations, None if cache.store.shared else whose)
