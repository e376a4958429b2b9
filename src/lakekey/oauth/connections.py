"""Connections of the HTTP library: each bounded by the watch of its exchange, and some kept for the next one."""

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries
from lakekey.oauth import deadlines
from lakekey.oauth.header_lines import HeaderLines

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from requests.adapters import HTTPAdapter

_MOST = 8
_INTERIM = range(102, 200)  # 100 is the library's, and after 101 no answer comes
_MOST_INTERIM = 8


class KeptConnections:
    """Connections of this process that wait a moment for the next request to the same server.

    A server may close one just as a request is sent on it, and what became of the request is not known then. It is
    sent once more on a new connection. So they are for what may be sent twice: a question, and an authorization code,
    which is lost as well if it is not sent again. They are not for a refresh token.

    Args:
        idle: Seconds that one waits for its next request. Servers close theirs after five seconds or more.
    """

    def __init__(self, idle: float = 3.0) -> None:
        self._patience = idle
        # No lock: a finalizer or a signal handler may come by in the midst of this. The thread that removes one has it.
        self._idle: list[_Idle] = []

    def take(self, key: "Key") -> "HTTPAdapter | None":
        """A connection that no other exchange uses, or ``None``; those that have waited too long are closed.

        Args:
            key: Where it leads, and with which settings.
        """
        found: HTTPAdapter | None = None
        for idle in reversed(list(self._idle)):
            is_usable = time.monotonic() - idle.since < self._patience and idle.process == os.getpid()
            if (is_usable and (found is not None or idle.key != key)) or not self._remove(idle):
                continue
            if is_usable:
                found = idle.adapter
            else:
                idle.adapter.close()
        return found

    def give(self, key: "Key", adapter: "HTTPAdapter") -> None:
        """Keep a connection whose last answer was read whole."""
        self._idle.append(_Idle(key, adapter))
        for idle in self._idle[:-_MOST]:
            if self._remove(idle):
                idle.adapter.close()

    def clear(self) -> None:
        """Close them all."""
        for idle in list(self._idle):
            if self._remove(idle):
                idle.adapter.close()

    def _remove(self, idle: "_Idle") -> bool:
        try:
            self._idle.remove(idle)
        except ValueError:  # another exchange has it
            return False
        return True


Key = tuple[Any, ...]


class _Idle:
    """A connection that waits, with the process that made it: its forked child must not use it as well."""

    def __init__(self, key: Key, adapter: "HTTPAdapter") -> None:
        self.key = key
        self.adapter = adapter
        self.process = os.getpid()
        self.since = time.monotonic()


def new_adapter() -> "HTTPAdapter":
    """What carries a session's requests; its connections are used by one exchange at a time."""
    return _adapter_class()(pool_connections=1, pool_maxsize=1)


def _response_class() -> "type[HTTPResponse]":
    with libraries():
        from http.client import HTTPResponse, parse_headers

    class FinalResponse(HTTPResponse):
        def begin(self) -> None:
            reader, self.fp = self.fp, HeaderLines(self.fp)  # type: ignore[assignment]
            super().begin()
            if self.fp is not None:  # as it is where no body follows
                self.fp = reader

        def _read_status(self) -> tuple[str, int, str]:
            # The library passes over 100 only, and would take any other interim response for the answer, as which it
            # would be thrown away (RFC 9110 §15.2).
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in its stubs
            passed = 0
            while found[1] in _INTERIM and passed < _MOST_INTERIM:
                parse_headers(self.fp)
                found, passed = super()._read_status(), passed + 1  # type: ignore[misc]
            return found

    return FinalResponse


@functools.cache
def _adapter_class() -> "type[HTTPAdapter]":
    with libraries():
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection

    class Watched(HTTPConnection):
        response_class = _response_class()

        def connect(self) -> None:
            deadlines.watch_of_this_exchange().connect(self, super().connect)

        def request(self, *args: Any, **kwargs: Any) -> None:
            deadlines.watch_of_this_exchange().use(self)
            super().request(*args, **kwargs)

    @functools.cache
    def watched(pool: Any) -> Any:
        # Of the library's own class: a SOCKS proxy has another one than the rest.
        connection = type("Watched", (Watched, pool.ConnectionCls), {})
        return type("Pool", (pool,), {"ConnectionCls": connection})

    def watch_all(manager: Any) -> Any:
        manager.pool_classes_by_scheme = {
            scheme: watched(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }
        return manager

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            watch_all(self.poolmanager)

        def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
            if proxy in self.proxy_manager:
                return self.proxy_manager[proxy]
            return watch_all(super().proxy_manager_for(proxy, **kwargs))

    return Adapter
