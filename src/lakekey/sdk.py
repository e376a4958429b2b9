"""databricks-sdk: a credentials strategy for its ``Config``, and with it WorkspaceClient and Databricks Connect."""

import os
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries
from lakekey.errors import ConfigurationError
from lakekey.providers import factory
from lakekey.providers.provider import Provider

if TYPE_CHECKING:
    from databricks.sdk.core import Config


def config(profile: str | Provider | None = None, **settings: Any) -> "Config":
    """A ``databricks.sdk.core.Config`` that signs in through lakekey.

    For ``WorkspaceClient(config=…)``, ``AccountClient(config=…)`` and ``DatabricksSession.builder.sdkConfig(…)``.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings (see `lakekey.provider`); the others go to ``Config`` as they are.

    Raises:
        ConfigurationError: A setting is missing or wrong, or databricks-sdk is not installed.
    """
    try:
        with libraries():
            from databricks.sdk.core import Config
    except ModuleNotFoundError:
        raise ConfigurationError("databricks-sdk is not installed", hint="pip install 'lakekey[sdk]'") from None
    provider, rest = factory.resolve_provider(profile, settings)
    target = provider.target
    known: dict[str, Any] = {
        "host": target.host,
        "account_id": target.account_id,
        "cluster_id": target.cluster_id,
        "warehouse_id": target.warehouse_id,
        # Said where there is none, too: the variable may be of another host, or be turned off.
        "workspace_id": target.workspace_id or ("" if os.environ.get("DATABRICKS_WORKSPACE_ID") else None),
        "serverless_compute_id": target.serverless_compute_id,
        # The choice is made: without these two, the SDK would read the profile once more, and object to whatever other
        # credentials are in the environment ("more than one authorization method configured").
        "auth_type": target.auth_type,
        "profile": "",
    }
    return Config(
        credentials_strategy=provider,
        **{name: value for name, value in known.items() if value is not None},
        **rest,
    )
