"""What a provider's headers come from: one protocol, and what its sources share.

A source is the session of this machine (`hot_path`), a strategy of databricks-sdk (`sdk_strategy`), or a wrapper
around another source. `lakekey.providers.provider.Provider` gives any of them the shapes that connectors expect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lakekey.cache.entry import Entry
    from lakekey.configuration.target import Target
    from lakekey.providers.session_ending import SessionEnding
    from lakekey.providers.token import Token

Headers = dict[str, str]
HeaderFactory = Callable[[], Headers]

# How often a new token that has served and is then refused is replaced at once. More often, it is one resource that
# refuses every token, and others that accept them.
_SECOND_CHANCES = 3


class TokenSource(Protocol):
    """Where headers and tokens come from. Its errors are `lakekey.errors.LakekeyError`, with the profile's name.

    Attributes:
        headers: Returns fresh request headers, a new mapping each time. It is the hot path, so it is a closure of the
            source and not a method: connectors are handed it as it is.
        target: What is signed in to, as far as that is known without a request.
    """

    headers: HeaderFactory
    target: Target

    @property
    def is_fresh(self) -> bool:
        """Whether `headers` and `token` answer at once."""

    def located(self) -> Target:
        """The target with its host, which for some sources only a request can tell."""

    def sdk_headers(self) -> Any | None:
        """What databricks-sdk calls for headers, where the source has it from there; else ``None``."""

    def unattended_headers(self) -> Headers:
        """The headers, or `LoginRequired` where a person would have to sign in."""

    def token(self) -> Token:
        """See `Provider.token`."""

    def login(self, *, switch: bool) -> None:
        """See `Provider.login`."""

    def logout(self) -> bool:
        """See `Provider.logout`."""

    def invalidate(self, access_token: str, *, ask: bool) -> bool:
        """See `Provider.invalidate`."""

    def served(self, access_token: str) -> None:
        """See `Provider.served`."""

    def identity(self) -> str | None:
        """See `Provider.identity`."""

    def needs_login(self) -> bool:
        """See `Provider.needs_login`."""

    def stored(self) -> Entry | None:
        """What the cache has of it; ``None`` if it keeps nothing there."""

    def on_session_ending(self, callback: Callable[[SessionEnding], None]) -> None:
        """See `Provider.on_session_ending`."""


def credentials_of(headers: Mapping[str, str]) -> str:
    """What an ``Authorization`` header holds after its scheme (RFC 9110 §11.4): what `TokenSource.invalidate` takes.

    Args:
        headers: The headers of a request.
    """
    return headers.get("Authorization", "").partition(" ")[2]


class SecondChances:
    """Which refused tokens are replaced although they are on trial: those that have served, a few times."""

    def __init__(self) -> None:
        self._served = ""
        self._left = _SECOND_CHANCES

    def served(self, access_token: str) -> None:
        """A server accepted this token."""
        self._served = access_token

    def take(self, access_token: str, *, on_trial: bool) -> str:
        """The refused token if it has served and may be replaced although it is on trial, else ``""``."""
        if not on_trial:
            self._left = _SECOND_CHANCES
        elif self._served == access_token and self._left > 0:
            self._left -= 1
            return access_token
        return ""
