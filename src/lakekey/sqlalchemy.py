"""SQLAlchemy: engines for databricks-sqlalchemy whose pooled connections stay signed in."""

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakekey._imports import libraries
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.providers import factory
from lakekey.providers.provider import Provider
from lakekey.sql.arguments import TokenTracker, connect_arguments
from lakekey.sql.connector_errors import explained, kernel_refusal, refused, typed

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.interfaces import ExceptionContext


def create_engine(profile: str | Provider | None = None, **options: Any) -> "Engine":
    """A SQLAlchemy engine for a profile's warehouse.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **options: lakekey's settings (see `lakekey.provider`), and ``connect_args`` and the rest for
            ``sqlalchemy.create_engine``.

    Raises:
        ConfigurationError: A setting is missing or wrong, or databricks-sqlalchemy is not installed.
    """
    try:
        with libraries():
            import databricks.sqlalchemy  # noqa: F401 - registers the dialect
            import sqlalchemy
    except ModuleNotFoundError:
        raise ConfigurationError(
            "databricks-sqlalchemy is not installed", hint="pip install 'lakekey[sqlalchemy]'"
        ) from None
    provider, rest = factory.resolve_provider(profile, options)
    chosen = {name: rest.pop(name, None) or getattr(provider.target, name) for name in ("catalog", "schema")}
    chosen["http_path"] = connect_arguments(provider.target, rest.pop("http_path", None))["http_path"]
    query = {name: value for name, value in chosen.items() if value}
    address = urlsplit(provider.target.host)
    url = sqlalchemy.URL.create("databricks", host=address.hostname, port=address.port, query=query)
    engine = sqlalchemy.create_engine(url, **rest)
    sign_in(engine, provider)
    return engine


def sign_in(engine: "Engine", profile: str | Provider | None = None, **settings: Any) -> None:
    """Sign in an engine that is already there: its next connections use the profile, and need no token in the URL.

    Args:
        engine: An engine of the ``databricks`` dialect.
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings; see `lakekey.provider`.

    Raises:
        ConfigurationError: A setting is missing or wrong; later, neither the URL nor the profile names a warehouse, or
            they are for different hosts.
    """
    with libraries():
        from sqlalchemy import event

    provider, chosen = factory.resolve_provider(profile, settings)
    _check_asked(engine, provider, chosen)

    def on_connect(dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> Any:
        parameters.pop("access_token", None)
        given = {name: value for name, value in parameters.items() if value is not None}
        # The warehouse is the URL's where that names one.
        arguments = {**connect_arguments(provider.target, given.get("http_path") or chosen.get("http_path")), **chosen}
        _check_host(given.get("server_hostname"), provider)
        # The dialect drops the URL's port; the address with it is the provider's.
        given |= {name: arguments[name] for name in ("server_hostname", "http_path")}
        return _connection(dialect, provider, {**arguments, **given})

    def on_error(context: "ExceptionContext") -> None:
        error = context.original_exception
        # The pool drops the connection, with the token that it clings to; the next one has a new token.
        context.is_disconnect = context.is_disconnect or refused(error)
        if isinstance(error, LakekeyError):  # which the pooled connection has taken out of the connector's
            raise error

    event.listen(engine, "do_connect", on_connect)
    event.listen(engine, "handle_error", on_error)


def _connection(dialect: Any, provider: Provider, arguments: dict[str, Any]) -> Any:
    """A new connection for the pool; if the server refuses the token, once more with another."""
    with libraries():
        from lakekey.sql.pooled import PooledConnection

    tracker = TokenTracker(provider)
    tracker()()  # an error of ours comes out here, before the connector wraps it

    def connect() -> Any:
        handled, asked = sys.exception(), bool(arguments.get("use_kernel"))
        try:
            return typed(lambda: dialect.connect(**arguments, credentials_provider=tracker))
        except Exception as error:
            kernel_only = kernel_refusal(error, provider.target, asked=asked, handled=handled)
            if kernel_only is not None:
                raise kernel_only from error
            raise

    for _ in range(2):
        try:
            return PooledConnection(connect(), tracker, provider.target)
        except Exception as error:
            if not refused(error):
                raise
            refusal = error
        if not (renewed := tracker.renewed(has_not_run=True)):
            break
    raise explained(refusal, provider.target.name, renewed=renewed)


def _check_asked(engine: "Engine", provider: Provider, chosen: dict[str, Any]) -> None:
    said = None
    if engine.dialect.name != "databricks":
        said = f"the engine's dialect is {engine.dialect.name}, not databricks"
    elif unknown := set(chosen) - {"http_path", "catalog", "schema"}:
        said = f"there is no setting {min(unknown)!r}"
    if said:
        raise ConfigurationError(said, profile=provider.target.name)


def _check_host(host: str | None, provider: Provider) -> None:
    """No statement runs in another workspace than the one that the engine names."""
    if host and urlsplit(f"//{host}").hostname != urlsplit(provider.target.host).hostname:
        raise ConfigurationError(
            f"the engine is for {host}, and the profile for {provider.target.host}",
            hint="sign the engine in with a profile of its own host",
            profile=provider.target.name,
        )
