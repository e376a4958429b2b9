"""The hooks: Airflow's own for Databricks, with lakekey in the place of their authentication."""

import asyncio
import ssl
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook

from lakekey import sql
from lakekey._hosts import routing_headers
from lakekey.airflow.connection import OURS, provider_of, switches_of
from lakekey.airflow.provider_info import CONN_TYPE, HOOK_NAME
from lakekey.errors import LoginRequired
from lakekey.providers.provider import Provider

_ME = ("GET", "2.0/preview/scim/v2/Me")


class SignedIn:
    """The part of a Databricks hook that signs in, for any hook that derives from Airflow's base of them."""

    databricks_conn: Any

    @cached_property
    def provider(self) -> Provider:
        """The provider of this hook's connection."""
        return provider_of(self.databricks_conn)

    @cached_property
    def host(self) -> str:
        """The workspace's host name, with its port where it has one."""
        return urlsplit(self.provider.target.host).netloc

    def test_connection(self) -> tuple[bool, str]:
        """Sign in, and ask the workspace who that is; what Airflow's connection form shows."""
        try:
            return True, self._who()
        except Exception as error:  # noqa: BLE001 - the form shows whatever it is
            return False, str(error)

    def _who(self) -> str:
        target = self.provider.target
        name = self._do_api_call(_ME).get("userName")
        return f"signed in to {target.host} as {name} ({target.auth_type})"

    def _endpoint_url(self, endpoint: str) -> str:
        return f"{self.provider.target.host}/{endpoint}"

    def _get_token(self, raise_error: bool = False) -> str:  # noqa: ARG002 - it always raises
        return self.provider.token().access_token

    async def _a_get_token(self, raise_error: bool = False) -> str:  # noqa: ARG002
        # Reading configuration and cache is quick, but the triggerer's event loop must not wait for a disk.
        provider = await asyncio.to_thread(lambda: self.provider)
        return (await provider.atoken()).access_token

    def _get_requests_kwargs(self) -> dict[str, Any]:
        given = super()._get_requests_kwargs()  # type: ignore[misc]
        ca_file = self.provider.target.ca_file
        return {**given, "verify": ca_file} if ca_file else given

    def _get_aiohttp_kwargs(self, url: str) -> dict[str, Any]:
        given = super()._get_aiohttp_kwargs(url)  # type: ignore[misc]
        return {**given, "ssl": self._tls} if self._tls is not None else given

    # Both are what Airflow adds to the headers of each API call.

    def _get_aad_headers(self) -> dict[str, str]:
        given = super()._get_aad_headers()  # type: ignore[misc]
        return {**given, **routing_headers(self.provider.target.workspace_id)}

    async def _a_get_aad_headers(self) -> dict[str, str]:
        given = await super()._a_get_aad_headers()  # type: ignore[misc]
        target = await asyncio.to_thread(lambda: self.provider.target)
        return {**given, **routing_headers(target.workspace_id)}

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        ca_file = self.provider.target.ca_file
        return ssl.create_default_context(cafile=ca_file) if ca_file else None

    def _do_api_call(self, *args: Any, **kwargs: Any) -> Any:
        """An API call; refused with 401, once more with another token."""
        token = self.provider.token().access_token
        try:
            return super()._do_api_call(*args, **kwargs)  # type: ignore[misc]
        except Exception as error:
            if not _unauthorized(error):
                raise
            refusal = error
        if not self.provider.invalidate(token):
            raise refusal
        return super()._do_api_call(*args, **kwargs)  # type: ignore[misc]

    async def _a_do_api_call(self, *args: Any, **kwargs: Any) -> Any:
        await self._a_cache_databricks_conn()  # type: ignore[attr-defined]
        token = await self._a_get_token()
        try:
            return await super()._a_do_api_call(*args, **kwargs)  # type: ignore[misc]
        except Exception as error:
            if not _unauthorized(error):
                raise
            refusal = error
        if not await asyncio.to_thread(self.provider.invalidate, token):
            raise refusal
        return await super()._a_do_api_call(*args, **kwargs)  # type: ignore[misc]


class SignedInSql(SignedIn):
    """The same for the SQL hook: its connections are `lakekey.sql.connect`'s."""

    _http_path: str | None
    _sql_conn: Any

    def get_conn(self) -> Any:
        """A connection that stays signed in, for all statements of a run."""
        if self._sql_conn is None:
            self._sql_conn = self._connect()
        return self._sql_conn

    def _connect(self) -> Any:
        self._http_path = self._resolve_http_path()
        hook: Any = self
        given = {
            "http_path": self._http_path,
            "catalog": hook.catalog,
            "schema": hook.schema,
            "session_configuration": self._session_configuration(),
            "http_headers": hook.http_headers,
            "user_agent_entry": hook.user_agent_value,
            **self._get_extra_config(),
            **_theirs(hook.additional_params),
        }
        known = {name: value for name, value in given.items() if value is not None}
        return sql.connect(self.provider, **switches_of(self.databricks_conn), **known)

    def _session_configuration(self) -> dict[str, str] | None:
        from airflow.providers.databricks.hooks.databricks_sql import _format_query_tags

        hook: Any = self
        hook.session_config = hook.session_config or self.databricks_conn.extra_dejson.get("session_configuration")
        configuration = dict(hook.session_config or {})
        if hook.query_tags:
            tags = [configuration.get("QUERY_TAGS"), _format_query_tags(hook.query_tags)]
            configuration["QUERY_TAGS"] = ",".join(tag for tag in tags if tag)
        return configuration or None

    def _get_extra_config(self) -> dict[str, Any]:
        return _theirs(super()._get_extra_config())  # type: ignore[misc]

    def _resolve_http_path(self, *args: Any, **kwargs: Any) -> str | None:
        found: str | None = super()._resolve_http_path(*args, **kwargs)  # type: ignore[misc]
        return found or self.provider.target.http_path

    def _who(self) -> str:
        said = super()._who()
        if not self._resolve_http_path():
            return f"{said}; no SQL warehouse is named"
        hook: Any = self
        (user,) = hook.get_first("select current_user()")
        return f"{said}; {self._http_path} answers {user}"


class LakekeyDatabricksHook(SignedIn, DatabricksHook):  # type: ignore[misc]
    """Airflow's ``DatabricksHook``, for jobs, clusters and the rest of the REST API, signed in by lakekey.

    Args:
        databricks_conn_id: A connection of the type ``lakekey_databricks``.

    The other arguments are ``DatabricksHook``'s.
    """

    conn_type = CONN_TYPE
    hook_name = HOOK_NAME
    default_conn_name = "lakekey_databricks_default"

    def __init__(self, databricks_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(databricks_conn_id, **{"caller": "LakekeyDatabricksHook", **kwargs})


class LakekeyDatabricksSqlHook(SignedInSql, DatabricksSqlHook):  # type: ignore[misc]
    """Airflow's ``DatabricksSqlHook``, for SQL warehouses and clusters, signed in by lakekey.

    Args:
        databricks_conn_id: A connection of the type ``lakekey_databricks``.

    The other arguments are ``DatabricksSqlHook``'s.
    """

    conn_type = CONN_TYPE
    hook_name = HOOK_NAME
    default_conn_name = "lakekey_databricks_default"

    def __init__(self, databricks_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(databricks_conn_id, **{"caller": "LakekeyDatabricksSqlHook", **kwargs})


def _theirs(settings: dict[str, Any]) -> dict[str, Any]:
    """What is left for the connector, which takes every name that it is given for a setting of its own.

    The connection's extras come twice: SQLExecuteQueryOperator hands them to the hook as parameters too.
    """
    return {name: value for name, value in settings.items() if name not in OURS}


def _unauthorized(error: BaseException) -> bool:
    """Whether the workspace refused the token; the provider words that by the status, or leaves it to requests."""
    if isinstance(error, LoginRequired):
        return False
    response = getattr(error, "response", None)
    return 401 in (getattr(error, "http_status_code", None), getattr(response, "status_code", None))
