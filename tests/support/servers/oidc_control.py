"""The side door of the tests' OAuth server: what it saw, what goes wrong, what time it is."""

import http.client
import json
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from support.pace import SLOWER


class Control:
    """Speaks to the control plane; usable from any thread, and from children that know its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, operation: str, *, wait: float = 0, **fields: Any) -> Any:
        """One operation; ``wait`` is how long the server may take over it, in seconds."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30 + wait)
        try:
            connection.request("POST", f"{address.path}/{operation}", json.dumps(fields))
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{operation}: {answer.get('error', response.status)}")
        return answer["result"]

    # What happened

    def log(self, route: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """The requests in order of arrival.

        Each has ``seq``, ``time`` (epoch seconds), ``route``, ``method``, ``path``, ``grant_type``,
        ``client_id``, ``scope``, ``redirect_uri``, ``user_agent``, ``fault``, and, once the server
        has decided on its answer, ``status``, ``error`` and ``duration``.

        Args:
            route: Only of this route.
            since: Only those after this ``seq``.
        """
        return self.call("log", route=route, since=since)

    def counters(self) -> Counter[str]:
        """How often each thing happened.

        ``requests.<route>``, ``requests.token.<grant type>`` and the provider's own events, such as
        ``authorization.success``, ``grant.success``, ``grant.revoked``, ``refresh_token.consumed``,
        ``grant.error.invalid_grant``.
        """
        return Counter(self.call("counters"))

    def settle(self) -> None:
        """Waits until the server has decided on every request that it is working on.

        After a client was killed and its held request released, this is when `token_state` is final.
        """
        self.call("settle")

    def reset(self) -> None:
        """Forgets the log, the counters, faults, holds and changed settings; keeps what was issued."""
        self.call("reset")

    # Settings

    def set_ttl(self, **seconds: float | None) -> None:
        """Lifetimes of what is issued from now on.

        Args:
            **seconds: ``access``, ``refresh``, ``code``; ``session``: the absolute lifetime of a
                login whatever is refreshed, None for no bound.
        """
        self.call("settings", **{f"{name}_ttl": value for name, value in seconds.items()})

    def set_rotation(self, single_use: bool) -> None:
        """Single-use refresh tokens with reuse detection, or reusable ones."""
        self.call("settings", rotate=single_use)

    def set_clock(self, offset: float) -> None:
        """Moves the server's clock: expiry, ``iat``, ``exp`` and the Date header follow."""
        self.call("settings", clock_offset=offset)

    def set_unauthorized_status(self, status: int) -> None:
        """The status of a dead access token at the API: 401, or 403 as some services answer."""
        self.call("settings", unauthorized_status=status)

    def add_client(self, **metadata: Any) -> None:
        """Registers a client by its RFC 7591 metadata."""
        self.call("add_client", **metadata)

    def offline(self) -> AbstractContextManager[None]:
        """Within it the host refuses connections; afterwards it is back on the same port."""
        return _Offline(self)

    # Tokens

    def token_state(self, refresh_token: str) -> str:
        """``current``, ``consumed``, ``expired``, ``revoked`` or ``unknown``."""
        return self.call("token_state", token=refresh_token)

    def is_current(self, refresh_token: str) -> bool:
        """Whether a refresh with this token would be honoured now."""
        return self.token_state(refresh_token) == "current"

    def current_refresh_tokens(self, user: str | None = None, client_id: str | None = None) -> list[str]:
        """SHA-256, in hexadecimal, of each refresh token that would be honoured now."""
        return self.call("current_refresh_tokens", user=user, client_id=client_id)

    def revoke_all(self, user: str | None = None, client_id: str | None = None) -> int:
        """Ends logins at the server, as an administrator does; answers how many."""
        return self.call("revoke", user=user, client_id=client_id)

    def reject_access_tokens(self) -> None:
        """The API refuses every access token issued until now; refresh tokens stay good."""
        self.call("reject_access_tokens")

    def subject_token(self, subject: str, *, audience: str | None = None, lifetime: int = 300) -> str:
        """A JWT of another identity provider, which token exchange accepts."""
        fields = {"audience": audience} if audience else {}
        return self.call("subject_token", subject=subject, lifetime=lifetime, **fields)

    # Trouble

    def fault(self, route: str, kind: str, *, times: int | None = 1, **options: Any) -> "Fault":
        """The next requests of a route go wrong.

        Args:
            route: ``token``, ``discovery``, ``config``, ``authorize``, ``revoke``, ``userinfo``,
                ``jwks``, ``interaction``, ``resume``, ``device_authorization``, ``device``, ``me``
                or ``*``.
            kind: ``status`` (with ``status``, ``body``, ``headers``), ``delay`` (``seconds``),
                ``hang``, ``drop`` (connection closed), ``reset`` (by RST), ``html``, ``garbage``,
                ``empty``, ``truncated``, ``oversized`` (``size`` in bytes), ``drip`` (``seconds``
                between bytes), ``edit`` (``set`` and ``remove`` fields of the real JSON answer,
                ``status``, ``headers``).
            times: How many requests; None for all until cleared.
            **options: Those of the kind, and for all kinds: ``processed=True`` lets the server
                commit first and spoils only the answer; ``seconds`` delays it; ``skip`` passes so
                many by first; ``grant_type`` and ``client_id`` narrow the match.
        """
        return Fault(self, self.call("fault", route=route, kind=kind, times=times, **options))

    def clear_faults(self) -> None:
        """Ends all faults; connections that hang are closed."""
        self.call("clear_faults")

    def hold(self, route: str = "token", *, when: str = "before", grant_type: str | None = None) -> "Hold":
        """Requests of a route wait until released.

        Args:
            route: As for `fault`.
            when: ``before`` the server has seen the request, or ``after`` it has committed and
                before a byte of the answer leaves.
            grant_type: Only requests of this grant.
        """
        return Hold(self, self.call("hold", route=route, when=when, grant_type=grant_type))


@dataclass(frozen=True)
class Fault:
    """A fault in force; as a context manager it ends with the block."""

    control: Control
    id: int

    def clear(self) -> None:
        """Ends it; connections that it kept hanging are closed."""
        self.control.call("clear_faults", id=self.id)

    def hits(self) -> int:
        """How many requests it met."""
        return next((fault["hits"] for fault in self.control.call("faults") if fault["id"] == self.id), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()


class Hold:
    """Requests that wait at the door; as a context manager all go on when the block ends."""

    def __init__(self, control: Control, hold_id: int) -> None:
        self._control = control
        self._id = hold_id
        self._ended = False

    def wait(self, count: int = 1, timeout: float = 30 * SLOWER) -> list[dict[str, Any]]:
        """Blocks until ``count`` requests in all have arrived here; their log entries.

        Raises:
            TimeoutError: Fewer came in ``timeout`` seconds.
        """
        arrived = self._control.call("arrivals", wait=timeout, id=self._id, count=count, timeout=timeout)
        if len(arrived) < count:
            raise TimeoutError(f"{len(arrived)} of {count} requests arrived in {timeout:g} s")
        return arrived

    def arrived(self) -> list[dict[str, Any]]:
        """Those that have arrived so far."""
        return self._control.call("arrivals", id=self._id, count=0)

    def release(self, count: int | None = None, *, drop: bool = False) -> int:
        """Lets waiting requests go on, or closes their connections.

        Args:
            count: So many, and the hold stays; None for all, and the hold ends.
            drop: Close the connections instead.
        """
        self._ended = self._ended or count is None
        return self._control.call("release", id=self._id, drop=drop, **({} if count is None else {"count": count}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._ended:
            self.release()


class _Offline(AbstractContextManager[None]):
    def __init__(self, control: Control) -> None:
        self._control = control

    def __enter__(self) -> None:
        self._control.call("offline")

    def __exit__(self, *exception: object) -> None:
        # Another socket may borrow the port for a moment.
        deadline = time.monotonic() + 5
        while True:
            try:
                self._control.call("online")
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
