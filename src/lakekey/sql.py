"""databricks-sql-connector: a connection that is signed in."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakekey import _public
from lakekey._provider import Provider
from lakekey.errors import ConfigurationError
from lakekey.target import Target

if TYPE_CHECKING:
    from databricks.sql.client import Connection


def connect(profile: str | Provider | None = None, **settings: Any) -> "Connection":
    """``databricks.sql.connect`` with host, HTTP path and credentials filled in.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings (see `lakekey.provider`); the others go to the connector as they are.

    Returns:
        The connector's own connection.

    Raises:
        ConfigurationError: A setting is missing or wrong, or the connector is not installed.
        LakekeyError: Nobody is signed in; said here, before the connector wraps it.
    """
    try:
        from databricks import sql
    except ModuleNotFoundError:
        raise ConfigurationError(
            "databricks-sql-connector is not installed", hint="pip install 'lakekey[sql]'"
        ) from None
    provider, rest = _public.provider_for(profile, settings)
    arguments = {**connect_arguments(provider.target), **rest}
    provider.headers()
    return sql.connect(credentials_provider=provider, **arguments)


def connect_arguments(target: Target) -> dict[str, Any]:
    """The connector's own arguments for a target: where it is, and whom to trust.

    Raises:
        ConfigurationError: The target names no warehouse or cluster path.
    """
    if not target.http_path:
        raise ConfigurationError(
            "there is no http_path", hint="set warehouse_id or http_path in the profile", profile=target.name
        )
    address = urlsplit(target.host)
    arguments: dict[str, Any] = {"server_hostname": address.netloc, "http_path": target.http_path}
    if address.port is not None:
        # With its own port setting alone, the connector sends feature flags and exchanges to port 443.
        arguments["_connection_uri"] = f"{target.host}/{target.http_path.lstrip('/')}"
    if target.ca_file:
        arguments["_tls_trusted_ca_file"] = target.ca_file
    for name in ("catalog", "schema"):
        if getattr(target, name):
            arguments[name] = getattr(target, name)
    return arguments
