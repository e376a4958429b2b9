"""databricks-sql-connector: a connection that is signed in, and stays so."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakekey._hosts import routed_path
from lakekey._imports import libraries
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError, TokenRefused
from lakekey.providers import factory
from lakekey.providers.provider import Provider

if TYPE_CHECKING:
    from lakekey.sql.connection import Connection

# How the connector's kernel says that it is missing, or that it does not take what it was given.
_KERNEL = "use_kernel=True"
_KERNEL_ERRORS = ("ImportError", "NotSupportedError")


def connect(
    profile: str | Provider | None = None, *, pass_through: bool = False, fixed_token: bool = False, **settings: Any
) -> "Connection":
    """``databricks.sql.connect`` with host, HTTP path and credentials filled in.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        pass_through: Ask the provider for every request, past the connector's own cache of the token. That cache keeps
            a token that is no JWT for an hour; this way, opaque and short-lived tokens work. It relies on how the
            connector treats header names, which no document promises, and does without the connector's exchange of
            account-level tokens.
        fixed_token: Hand the connector a token instead of a provider. The only way into warehouses that refuse the
            Thrift protocol (SQLSTATE KP001); the connection ends with that token.
        **settings: lakekey's settings (see `lakekey.provider`); the others go to the connector as they are.

    Returns:
        The connector's connection, wrapped so that lakekey's errors come out as they are. A statement that the server
        refuses to start is sent again, once, on a new connection, unless anything may hang on the old session. The
        connector's own is its ``connection``.

    Raises:
        ConfigurationError: A setting is missing or wrong, the connector is not installed, or the warehouse takes a
            fixed token only.
        LakekeyError: Nobody is signed in, or as it says.
    """
    try:
        with libraries():
            from lakekey.sql.connection import Connection
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("databricks"):
            raise
        raise ConfigurationError(
            "databricks-sql-connector is not installed", hint="pip install 'lakekey[sql]'"
        ) from None
    provider, rest = factory.provider_for(profile, settings)
    arguments = {**connect_arguments(provider.target, rest.pop("http_path", None)), **rest}
    return Connection(provider, arguments, pass_through=pass_through, fixed_token=fixed_token)


def connect_arguments(target: Target, http_path: str | None = None) -> dict[str, Any]:
    """The connector's own arguments for a target: where it is, and whom to trust.

    Args:
        target: The target.
        http_path: Another warehouse or cluster than the target's.

    Raises:
        ConfigurationError: The target names no warehouse or cluster path.
    """
    http_path = http_path or target.http_path
    if not http_path:
        raise ConfigurationError(
            "there is no http_path", hint="set warehouse_id or http_path in the profile", profile=target.name
        )
    http_path = routed_path(http_path, target.workspace_id)
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


class Handing:
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
        authorization = self._provider.headers()["Authorization"]
        self.token = authorization.removeprefix("Bearer ")
        return {self._name: authorization}

    def served(self) -> None:
        """Report that the server accepted the token that was handed out last."""
        self._provider.served(self.token)

    def invalidate(self) -> bool:
        """Report that the server refused the token that was handed out last. Returns whether there is another one."""
        return self._provider.invalidate(self.token)


def unwrap(error: BaseException) -> LakekeyError | None:
    """The error of ours inside one of the connector's, or ``None``.

    The connector wraps what a header factory raises into its ``RequestError``, whose ``args`` and ``context`` hold it.
    A `lakekey.errors.TokenRefused` is none of those: it explains the connector's error, and stays its cause.
    """
    found = (each for each in _inside(error) if isinstance(each, LakekeyError))
    return next((each for each in found if not isinstance(each, TokenRefused)), None)


def _inside(error: BaseException) -> Iterator[BaseException]:
    """An error, and every error that it holds, was raised from, or was raised during."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        context = getattr(found, "context", None)
        waiting += [*found.args, found.__cause__, found.__context__]
        waiting += list(context.values()) if isinstance(context, dict) else []


def refused(error: BaseException) -> bool:
    """Whether a connector's error means that the server refused the token: HTTP 401 or 403."""
    context = getattr(error, "context", None)
    if not isinstance(context, dict) or context.get("http-code") not in (401, 403):
        return False
    # The connector names the status of the last answer. A call that was not answered has that of an earlier one.
    origins = [*error.args, *(error.__cause__.args if error.__cause__ is not None else ())]
    return not any(isinstance(origin, OSError) or hasattr(origin, "context") for origin in origins)


def kernel_refusal(error: BaseException, target: Target, *, asked: bool) -> ConfigurationError | None:
    """What to say where a warehouse refused the Thrift protocol, and the connector's kernel our provider; or ``None``.

    The connector turns to its kernel by itself, without a word of the warehouse's refusal once it knows it. The kernel
    is an extra of the connector's, and takes no credentials provider.

    Args:
        error: What came of the attempt to connect.
        target: Where to.
        asked: Whether the caller asked for the kernel; else the warehouse has refused, now or before.
    """
    said = [(found, str(found)) for found in _inside(error)]
    refuses = any(getattr(found, "SQL_STATE", None) == "KP001" or "KP001" in text for found, text in said)
    if not refuses and not any(type(found).__name__ in _KERNEL_ERRORS and _KERNEL in text for found, text in said):
        return None
    missing = any(isinstance(found, ImportError) and _KERNEL in text for found, text in said)
    cause = "" if asked else "this warehouse refuses the Thrift protocol (SQLSTATE KP001), and "
    return ConfigurationError(
        f"{cause}the connector's kernel takes no credentials provider",
        hint="lakekey.sql.connect(…, fixed_token=True), for a connection that ends with its token"
        + ("; and pip install 'databricks-sql-connector[kernel]'" if missing else ""),
        profile=target.name,
    )
