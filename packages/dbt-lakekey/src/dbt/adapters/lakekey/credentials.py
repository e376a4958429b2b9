"""The credentials of ``type: lakekey``: a profile's name instead of a token."""

from dataclasses import dataclass
from typing import Any

from databricks.sdk.core import Config
from dbt.adapters.databricks.credentials import DatabricksCredentialManager, DatabricksCredentials
from dbt_common.exceptions import DbtConfigError

import lakekey
from lakekey.sql import connect_arguments

# Settings that both know: given in profiles.yml, they go before the profile's.
_SHARED = ("host", "http_path", "client_id", "client_secret")
# How dbt-databricks itself would sign in. Silence would be taken for consent.
_THEIRS = (
    "token",
    "auth_type",
    "azure_client_id",
    "azure_client_secret",
    "oauth_redirect_url",
    "oauth_scopes",
    "oidc_token_filepath",
)


class LakekeyCredentialManager(DatabricksCredentialManager):
    """What dbt-databricks takes headers and its REST client from: the SDK's ``Config``, signed in by lakekey.

    Args:
        provider: One for all threads.
    """

    def __init__(self, provider: lakekey.Provider) -> None:
        super().__init__(host=provider.target.host, client_id="", client_secret="")
        self._provider = provider
        self._made: dict[str, Config] = {}  # one at most

    def __post_init__(self) -> None:
        """Releases of dbt-databricks before 1.12.7 may sign in here, and `dbt parse` is to stay offline."""

    @property
    def _config(self) -> Config:
        # No lock: it would be held over requests. Of two threads that are the first, both use the one that came first.
        return self._made.get("is") or self._made.setdefault("is", lakekey.sdk.config(self._provider))


@dataclass
class LakekeyCredentials(DatabricksCredentials):
    """A target of ``profiles.yml``.

    Attributes:
        profile: A profile of ``.databrickscfg``; ``None`` for lakekey's default chain.
    """

    profile: str | None = None

    def __post_init__(self) -> None:
        theirs = [name for name in _THEIRS if getattr(self, name, None)]  # each release has others
        if theirs:
            raise DbtConfigError(
                f"`{theirs[0]}` is dbt-databricks' own way to sign in, and means nothing to `type: lakekey`: "
                "remove it; what lakekey signs in with stands in the profile of .databrickscfg"
            )
        if (self.connection_parameters or {}).get("use_kernel"):
            raise DbtConfigError("`use_kernel` takes a token that is never renewed: `type: lakekey` does without it")
        given = {name: getattr(self, name) for name in _SHARED if getattr(self, name)}
        try:
            provider = lakekey.provider(self.profile, **given)
            arguments = connect_arguments(provider.target)
        except lakekey.LakekeyError as error:
            raise DbtConfigError(str(error)) from None
        self.host = arguments.pop("server_hostname")
        self.http_path = arguments.pop("http_path")
        catalog, schema = arguments.pop("catalog", None), arguments.pop("schema", None)
        self.database = self.database or catalog
        self.schema = self.schema or schema
        self.connection_parameters = {**arguments, **(self.connection_parameters or {})}
        self._signed_in = LakekeyCredentialManager(provider)
        super().__post_init__()

    @property
    def type(self) -> str:
        """What ``profiles.yml`` calls it."""
        return "lakekey"

    def validate_creds(self) -> None:
        """Nothing is left to check: without host and HTTP path there would be no credentials."""

    def _connection_keys(self, **options: Any) -> tuple[str, ...]:
        return ("profile", *super()._connection_keys(**options))


def _create_from(credentials: DatabricksCredentials) -> DatabricksCredentialManager:
    return credentials._signed_in if isinstance(credentials, LakekeyCredentials) else _own(credentials)  # noqa: SLF001


# dbt-databricks makes its REST client, which submits Python models and cancels what runs when a run is broken off, from
# a manager of its own, and that one would sign in by itself, in a browser. There is no other way in.
_own = DatabricksCredentialManager.create_from
DatabricksCredentialManager.create_from = _create_from  # type: ignore[method-assign, assignment]
