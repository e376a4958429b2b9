"""The credentials of ``type: lakekey``: a profile's name instead of a token."""

import threading
from dataclasses import dataclass

from dbt.adapters.databricks.credentials import DatabricksCredentialManager, DatabricksCredentials
from dbt_common.exceptions import DbtConfigError

import lakekey
from lakekey.sql import connect_arguments

_guard = threading.Lock()


@dataclass
class LakekeyCredentials(DatabricksCredentials):
    """A target of ``profiles.yml``.

    Attributes:
        profile: A profile of ``.databrickscfg``; ``None`` for lakekey's default chain.
    """

    profile: str | None = None

    def __post_init__(self) -> None:
        try:
            provider = lakekey.provider(self.profile)
            arguments = connect_arguments(provider.target)
        except lakekey.LakekeyError as error:
            raise DbtConfigError(str(error)) from None
        self.host = arguments.pop("server_hostname")
        self.http_path = arguments.pop("http_path")
        catalog, schema = arguments.pop("catalog", None), arguments.pop("schema", None)
        self.database = self.database or catalog
        self.schema = self.schema or schema
        self.connection_parameters = {**arguments, **(self.connection_parameters or {})}
        super().__post_init__()
        self._provider = provider

    @property
    def type(self) -> str:
        """What ``profiles.yml`` calls it."""
        return "lakekey"

    def authenticate(self) -> DatabricksCredentialManager:
        """What dbt-databricks takes headers from: the SDK's ``Config``, signed in by one provider for all threads.

        Called when a connection opens, so that ``dbt parse`` stays offline.
        """
        manager = self._credentials_manager
        assert manager is not None
        with _guard:
            if manager._config is None:  # noqa: SLF001 - its own fast path; there is no other way in
                manager._config = lakekey.sdk.config(self._provider)  # noqa: SLF001
        return manager
