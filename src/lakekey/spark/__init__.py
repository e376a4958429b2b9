"""Spark clusters: Spark Connect sessions that stay signed in, and JDBC options for classic pyspark.

The bearer token travels with each RPC, taken from the provider's snapshot as the RPC is sent. So a session outlives
any number of tokens, and there is nothing to renew in it.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries
from lakekey.errors import ConfigurationError
from lakekey.providers import factory
from lakekey.providers.provider import Provider
from lakekey.spark.jdbc import jdbc_options

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

    from lakekey.spark.channel import SignedInChannelBuilder

__all__ = ["channel_builder", "jdbc_options", "session"]


def channel_builder(
    profile: str | Provider | None = None,
    url: str | None = None,
    *,
    cluster_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    user_agent: str | None = None,
    channel_options: Iterable[tuple[str, Any]] = (),
    **settings: Any,
) -> "SignedInChannelBuilder":
    """A ``ChannelBuilder`` for ``SparkSession.builder.channelBuilder(…)`` of ``pyspark.sql.connect``.

    Nothing is sent and no person is asked yet: the first RPC does that.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        url: A Spark Connect address, ``sc://host:port/;name=value``; ``None`` for the profile's host and cluster.
            TLS, unless the host is loopback and the address does not say ``use_ssl=true``.
        cluster_id: The cluster (``x-databricks-cluster-id``), over the profile's.
        headers: Further metadata that each RPC carries.
        session_id: The UUID of the server-side session; a new one where ``None``.
        user_id: The user that Spark keeps the session for; the signed-in identity where ``None``.
        user_agent: The program's name as ``product/version``, put before lakekey's.
        channel_options: gRPC channel options, over pyspark's.
        **settings: lakekey's settings; see `lakekey.provider`.

    Returns:
        The builder. It may be used for any number of sessions.

    Raises:
        ConfigurationError: A setting is missing or wrong, or pyspark's Connect client is not installed.
    """
    provider, rest = factory.resolve_provider(profile, settings)
    if rest:
        raise ConfigurationError(
            f"there is no option {min(rest)!r}",
            hint="Spark's own configuration has dots in its names, and goes to lakekey.spark.session",
            profile=provider.target.name,
        )
    _require_pyspark()
    with libraries():
        from lakekey.spark.channel import SignedInChannelBuilder
        from lakekey.spark.connect_url import connect_url, roots

    target = provider.target
    parameters = {"session_id": session_id, "user_id": user_id, "user_agent": user_agent}
    return SignedInChannelBuilder(
        provider,
        connect_url(target, url, cluster_id=cluster_id, parameters=parameters, headers=headers or {}),
        root_certificates=roots(target.ca_file, os.environ),
        channel_options=tuple(channel_options),
    )


def session(profile: str | Provider | None = None, url: str | None = None, **conf: Any) -> "SparkSession":
    """A new Spark Connect session that is signed in, and stays so.

    A session is made even where one exists: ``getOrCreate`` would hand out one of other code. What signs it in is part
    of its channel, so ``newSession()`` and ``cloneSession()`` keep it. The first session of a process also turns
    pyspark's Connect mode on, as ``SparkSession.builder.remote`` does, so that ``pyspark.sql.functions`` works.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        url: A Spark Connect address; ``None`` for the profile's host and cluster.
        **conf: Names with a dot are Spark's (``**{"spark.sql.shuffle.partitions": "8"}``); the others are
            `channel_builder`'s.

    Returns:
        pyspark's own session.

    Raises:
        LakekeyError: No session, or a setting is missing or wrong; said here, before pyspark is asked.
    """
    sparks = {name: value for name, value in conf.items() if "." in name}
    builder = channel_builder(profile, url, **{name: conf[name] for name in conf if name not in sparks})
    builder.provider.headers()
    with libraries():
        from pyspark.sql.connect.session import SparkSession

    _connect_mode()
    making = SparkSession.builder.channelBuilder(builder)
    for name, value in sparks.items():
        making = making.config(name, value)
    return making.create()


def _require_pyspark() -> None:
    try:
        importlib.import_module("pyspark.sql.connect.client")
    except ImportError as error:
        raise ConfigurationError(
            f"pyspark's Connect client cannot be imported: {str(error).splitlines()[0]}",
            hint="pip install 'lakekey[spark]'",
        ) from None


def _connect_mode() -> None:
    """Let ``pyspark.sql.functions`` make Connect columns, unless this process runs classic Spark as well."""
    for name in ("pyspark.core.context", "pyspark.context"):
        context = getattr(sys.modules.get(name), "SparkContext", None)
        if context is not None and context._active_spark_context is not None:  # noqa: SLF001 - no public way to ask
            return
    os.environ.setdefault("SPARK_CONNECT_MODE_ENABLED", "1")
