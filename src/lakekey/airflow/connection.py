"""From an Airflow connection to a provider that suits a task."""

from typing import Any

from airflow.sdk.log import mask_secret

from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.providers import factory
from lakekey.providers.provider import Provider
from lakekey.providers.sources import Headers, TokenSource, credentials_of
from lakekey.providers.token import Token

#: Extras that switch something on → what it is called at `lakekey.sql.connect`.
SWITCHES = {"pass_through": "pass_through", "kernel_only": "fixed_token"}
#: The extras that are lakekey's; the connector would not know them.
OURS = frozenset({*SETTINGS, *SWITCHES, "profile"})
_SECRETS = frozenset(name for name, setting in SETTINGS.items() if setting.secret)


class Masked:
    """A source whose tokens the task log masks: each is made known to Airflow before it is handed out.

    Args:
        source: Where the tokens come from; it answers everything else.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._masked = ""

        def headers() -> Headers:
            found = source.headers()
            self._mask(credentials_of(found))
            return found

        self.headers = headers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def unattended_headers(self) -> Headers:
        """See `TokenSource.unattended_headers`: no task asks a person."""
        return self.headers()

    def token(self) -> Token:
        """See `TokenSource.token`."""
        token = self._source.token()
        self._mask(token.access_token)
        return token

    def _mask(self, secret: str) -> None:
        # Once for each: in a task this is a message to the supervisor, which writes the log.
        if secret != self._masked:
            mask_secret(secret)
            self._masked = secret


def provider_of(conn: Any) -> Provider:
    """The provider of an Airflow connection. No browser ever opens for it: tasks are automation.

    Args:
        conn: The connection: host, login (client id) and password (client secret), and lakekey's settings as extras.
            What it leaves open comes from the worker's environment and ``.databrickscfg``.

    Raises:
        ConfigurationError: A setting is missing, wrong, or contradicts another; or a person is named, and
            every editor of the connection could act as that person.
    """
    extra = conn.extra_dejson
    given = {name: extra[name] for name in SETTINGS if extra.get(name) not in (None, "")}
    if conn.password and not (conn.login or "client_id" in given):
        raise ConfigurationError(
            "the connection has a password, which is the client secret, but no login",
            hint="put the service principal's application ID into the connection's login",
            profile=f"Airflow connection {conn.conn_id}",
        )
    given |= {
        name: value
        for name, value in (("host", _host(conn)), ("client_id", conn.login), ("client_secret", conn.password))
        if value
    }
    target = resolve(extra.get("profile") or None, **given)
    if target.user is not None:
        raise ConfigurationError(
            f"the connection names a person, {target.user}, and a task is automation",
            hint="name a service principal: put its application ID into the login, its secret into the password",
            profile=f"Airflow connection {conn.conn_id}",
        )
    for secret in (target.client_secret, *(target.sdk_settings[name] for name in _SECRETS & {*target.sdk_settings})):
        if secret:
            mask_secret(secret)  # one from a profile or the environment is not known to Airflow
    if target.is_person:
        factory.warn_service_principal_missing(target, "an Airflow task")
    return Provider(target, "never", Masked)


def switches_of(conn: Any) -> dict[str, bool]:
    """How SQL connections are to be made: arguments of `lakekey.sql.connect`, as the connection's extras set them."""
    extra = conn.extra_dejson
    return {
        argument: str(extra.get(name, "")).strip().lower() in ("1", "true", "yes", "on")
        for name, argument in SWITCHES.items()
    }


def _host(conn: Any) -> str | None:
    """The workspace's address; from a connection URI it comes in parts."""
    host: str | None = conn.host
    if not host or "://" in host:
        return host
    address = f"{host}:{conn.port}" if conn.port else host
    return f"{conn.schema}://{address}" if conn.schema in ("http", "https") else address
