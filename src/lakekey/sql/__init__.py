"""databricks-sql-connector: a connection that is signed in, and stays so."""

from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries
from lakekey.errors import ConfigurationError
from lakekey.providers import factory
from lakekey.providers.provider import Provider
from lakekey.sql.arguments import connect_arguments, warn_of_workspace
from lakekey.sql.connector_errors import unwrap

if TYPE_CHECKING:
    from lakekey.sql.connection import Connection

__all__ = ["connect", "connect_arguments", "unwrap"]


def connect(
    profile: str | Provider | None = None, *, pass_through: bool = False, fixed_token: bool = False, **settings: Any
) -> "Connection":
    """``databricks.sql.connect`` with host, HTTP path and credentials filled in.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        pass_through: Ask the provider for every request, past the connector's own cache of the token. That cache keeps
            a token that is not a JWT for an hour; this way, opaque and short-lived tokens work. It relies on how the
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
        LakekeyError: No session, or as it says.
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
    provider, rest = factory.resolve_provider(profile, settings)
    warn_of_workspace(provider.target)
    arguments = {**connect_arguments(provider.target, rest.pop("http_path", None)), **rest}
    return Connection(provider, arguments, pass_through=pass_through, fixed_token=fixed_token)
