"""The keyword arguments that name settings, for editors and type checkers (PEP 692); nothing loads this at run time."""

import os
from collections.abc import Collection
from typing import TypedDict


class Settings(TypedDict, total=False):
    """The settings that `lakekey.provider` takes, each as `lakekey.configuration.settings` describes it.

    ``None`` counts as not given.
    """

    host: str | None
    account_id: str | None
    workspace_id: str | None
    group_id: str | None
    auth_type: str | None
    client_id: str | None
    client_secret: str | None
    scopes: str | Collection[str] | None
    authorization_details: str | None
    discovery_url: str | None
    oidc_token_env: str | None
    oidc_token_filepath: str | os.PathLike[str] | None
    token_audience: str | None
    cluster_id: str | None
    warehouse_id: str | None
    serverless_compute_id: str | None
    http_path: str | None
    catalog: str | None
    schema: str | None
    user: str | None
    redirect_url: str | None
    redirect_port: int | str | None
    redirect_ports: str | None
    authorize_extras: str | None
    client_cert: str | os.PathLike[str] | None
    client_key: str | os.PathLike[str] | None
    refresh_token_lifetime_in_minutes: float | str | None
    absolute_session_lifetime_in_minutes: float | str | None
    disable_oauth_refresh_token: bool | str | None
    ca_file: str | os.PathLike[str] | None
    login_timeout: float | str | None
    lock_timeout: float | str | None
    store: str | None
    cache_dir: str | os.PathLike[str] | None
    key_source: str | None
    key_file: str | os.PathLike[str] | None
    token: str | None
    username: str | None
    password: str | None
    metadata_service_url: str | None
    azure_workspace_resource_id: str | None
    azure_use_msi: str | bool | None
    azure_client_secret: str | None
    azure_client_id: str | None
    azure_tenant_id: str | None
    azure_environment: str | None
    google_service_account: str | None
    google_credentials: str | None
    databricks_cli_path: str | None
    cloud: str | None
    config_file: str | os.PathLike[str] | None
