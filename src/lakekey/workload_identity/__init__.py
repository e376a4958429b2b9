"""Tokens of an identity provider, to be exchanged for the workspace's own (RFC 8693).

A source is *not here* (its detector says ``None``), *here but broken* (it raises), or here; never two of them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from lakekey._imports import LOADING
from lakekey.errors import ConfigurationError

if TYPE_CHECKING:
    from lakekey.oauth.transport import Transport


class IdentityTokens(Protocol):
    """Where a workload's identity tokens come from.

    Attributes:
        place: What messages call it.
    """

    place: str

    def subject(self) -> str:
        """The identity that the tokens stand for, as far as known without a request: it sets two apart in the cache.

        Raises:
            ConfigurationError: It is here but broken.
        """

    def fetch(self, transport: "Transport", audience: str, *, deadline: float) -> str:
        """A token, now.

        Args:
            transport: HTTP, for sources that ask a service.
            audience: The token's audience, if the source lets that be chosen.
            deadline: When to give up, by `time.monotonic`.

        Raises:
            ConfigurationError: It is here but broken.
            CredentialsRefused: The service refuses a token to this workload.
            TokenEndpointError: The service gave no usable answer; trying again may help.
        """


def detect(environ: Mapping[str, str], *, variable: str | None, path: str | None, has_client: bool) -> str | None:
    """The first kind of source that is really here, in the SDK's order; ``None`` if there is none.

    Args:
        environ: The environment.
        variable: ``oidc_token_env``.
        path: ``oidc_token_filepath``.
        has_client: Whether a client id is configured, without which no CI system is asked.

    Raises:
        ConfigurationError: One is here but broken.
    """
    with LOADING:
        from lakekey.workload_identity import local

    if local.Variable.detect(environ, variable):
        return "env-oidc"
    if path:
        local.File(path).subject()
        return "file-oidc"
    if has_client and "ACTIONS_ID_TOKEN_REQUEST_URL" in environ:
        with LOADING:
            from lakekey.workload_identity.github_actions import GitHubActions

        if GitHubActions.detect(environ):
            return "github-oidc"
    if has_client and "SYSTEM_ACCESSTOKEN" in environ:
        with LOADING:
            from lakekey.workload_identity.azure_devops import AzureDevOps

        if AzureDevOps.detect(environ):
            return "azure-devops-oidc"
    return None


def source_of(
    auth_type: str, *, variable: str | None, path: str | None, profile: str | None, environ: Mapping[str, str]
) -> IdentityTokens:
    """The source that an ``auth_type`` names.

    Args:
        auth_type: One of `lakekey.configuration.settings.FEDERATED`.
        variable: ``oidc_token_env``.
        path: ``oidc_token_filepath``.
        profile: For the error.
        environ: The environment.

    Raises:
        ConfigurationError: It is not here, or broken.
    """
    with LOADING:
        from lakekey.workload_identity import local

    found: IdentityTokens | None
    if auth_type == "env-oidc":
        found = local.Variable.detect(environ, variable)
        missing, hint = local.Variable.missing(variable), "set it to the identity provider's token"
    elif auth_type == "file-oidc":
        found = local.File(path) if path else local.service_account(environ)
        missing, hint = "oidc_token_filepath is missing", "set oidc_token_filepath, or DATABRICKS_OIDC_TOKEN_FILEPATH"
    elif auth_type == "github-oidc":
        with LOADING:
            from lakekey.workload_identity.github_actions import GitHubActions

        found = GitHubActions.detect(environ)
        missing = "this is not a GitHub Actions job that may ask for an identity token"
        hint = "give the job the permission: id-token: write"
    else:
        with LOADING:
            from lakekey.workload_identity.azure_devops import AzureDevOps

        found = AzureDevOps.detect(environ)
        missing = (
            f"this is not a step of Azure Pipelines with a token ({', '.join(AzureDevOps.lacking(environ))} missing)"
        )
        hint = "map it in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)"
    if found is None:
        raise ConfigurationError(f"{missing}, which {auth_type} needs", hint=hint, profile=profile)
    return found
