"""What databricks-sql-connector is told of a target, and how it is signed in."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from lakekey import _log
from lakekey._inside_work import inside
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError
from lakekey.providers.host_facts import sql_path
from lakekey.providers.provider import Provider
from lakekey.providers.sources import credentials_of

_SAID: set[tuple[str, str, str | None]] = set()


def connect_arguments(target: Target, http_path: str | None = None) -> dict[str, Any]:
    """The connector's own arguments for a target: where it is, and which authorities to trust.

    Args:
        target: The target.
        http_path: Another warehouse or cluster than the target's.

    Raises:
        ConfigurationError: The target names no warehouse or cluster path.
    """
    http_path = sql_path(target, http_path)
    address = urlsplit(target.host)
    arguments: dict[str, Any] = {"server_hostname": address.netloc, "http_path": http_path}
    if address.port is not None:
        # With its own port setting alone, the connector sends feature flags and exchanges to port 443.
        arguments["_connection_uri"] = f"{target.host}/{http_path.lstrip('/')}"
    if target.ca_file:
        arguments["_tls_trusted_ca_file"] = target.ca_file
    for name in ("catalog", "schema"):
        if getattr(target, name):
            arguments[name] = getattr(target, name)
    return arguments


def warn_of_workspace(target: Target) -> None:
    """Say once that a workspace's id does not count: the server only says that it knows no such warehouse, if that."""
    said = (target.name, target.host, target.workspace_elsewhere)
    if target.workspace_elsewhere is None or said in _SAID:
        return
    _SAID.add(said)
    message = "%s: workspace_id (%s) does not count: it stands beside another host than %s; give that host with ?o="
    _log.warning("configuration", message, target.name, target.workspace_elsewhere, target.host)


class TokenTracker:
    """A provider as one connection sees it: it remembers the token that it handed out last.

    A connector keeps a token long after the provider has a newer one. When that token is refused, it is the one to
    be invalidated, not the provider's current one.

    Args:
        provider: The provider.
        pass_through: See `connect`.

    Attributes:
        token: The access token that was handed out last.
    """

    def __init__(self, provider: Provider, *, pass_through: bool = False) -> None:
        self._provider = provider
        # In lower case the connector hands the mapping on untouched; HTTP takes either (RFC 9110 §5.1).
        self._name = "authorization" if pass_through else "Authorization"
        self.token = ""

    def __call__(self) -> Callable[[], dict[str, str]]:
        """A header factory, as the connector asks for it."""
        return self._headers

    def _headers(self) -> dict[str, str]:
        headers = self._provider.headers()
        self.token = credentials_of(headers)
        # With what a cloud's sign-in has beside the token.
        return {self._name: headers.pop("Authorization"), **headers}

    def check(self) -> None:
        """Let code that runs inside a renewal wait for nothing: the connector's lock may be held by a waiting thread.

        Raises:
            LockTimeout: This is such code, and no token is live.
        """
        if inside():
            self._provider.headers()

    def served(self) -> None:
        """Report that the server accepted the token that was handed out last."""
        self._provider.served(self.token)

    def invalidate(self) -> bool:
        """Report that the server refused the token that was handed out last. Returns whether there is another one."""
        return self._provider.invalidate(self.token)

    def renewed(self, *, has_not_run: bool) -> bool:
        """Have the refused token replaced, for what comes next. Returns whether there is another one.

        Args:
            has_not_run: Whether it is known that the refused statement has not run.

        Raises:
            LakekeyError: There is no other token to be had, and the statement has not run.
        """
        try:
            return self.invalidate()
        except LakekeyError as error:
            trouble = error
        if has_not_run:
            raise trouble
        # That a statement may have run matters more than why there is no other token: the next statement reports that.
        return False
