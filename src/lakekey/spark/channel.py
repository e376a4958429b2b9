"""The channel builder: pyspark's own, with a channel that signs each RPC."""

import os
import platform
from typing import Any

import grpc
from pyspark.sql.connect.client import core
from pyspark.version import __version__ as pyspark_version

from lakekey import _version
from lakekey._hosts import LOOPBACK
from lakekey.configuration.target import M2M
from lakekey.providers.provider import Provider
from lakekey.spark.interceptor import SignIn

# pyspark 4 split the class that reads addresses from the one that others derive from; 3.5 has one for both.
_Base: Any = getattr(core, "DefaultChannelBuilder", core.ChannelBuilder)


class SignedInChannelBuilder(_Base):  # type: ignore[misc]  # pyspark is imported when it is used
    """Builds channels whose RPCs are signed by a provider.

    It holds no token and no lock: ``newSession`` and ``cloneSession`` copy it deeply.

    Args:
        provider: Signs the RPCs.
        url: The whole address, as `lakekey.spark.connect_url.connect_url` makes it.
        root_certificates: PEM certificates to trust, or ``None`` for gRPC's own choice.
        channel_options: gRPC channel options.
    """

    def __init__(
        self,
        provider: Provider,
        url: str,
        *,
        root_certificates: bytes | None,
        channel_options: tuple[tuple[str, Any], ...],
    ) -> None:
        self.provider = provider
        self._root_certificates = root_certificates
        super().__init__(url, list(channel_options))
        named = self._parameter(self.PARAM_USER_AGENT) or os.environ.get("SPARK_CONNECT_USER_AGENT")
        self._product = " ".join(filter(None, (named, f"lakekey/{_version.__version__}")))
        if "grpc.primary_user_agent" not in dict(channel_options):
            self._channel_options.append(("grpc.primary_user_agent", self._product))
        if self._is_loopback:
            # gRPC would ask the proxy of https_proxy for a port of this machine.
            self._channel_options.append(("grpc.enable_http_proxy", 0))

    def __repr__(self) -> str:
        return f"<lakekey channel builder: {self.provider.target.name} at {self.endpoint}>"

    @property
    def secure(self) -> bool:
        """Whether the channel uses TLS."""
        return self._parameter(self.PARAM_USE_SSL) != "false"

    @property
    def token(self) -> None:
        """No static token: pyspark would take one from SPARK_CONNECT_AUTHENTICATE_TOKEN."""
        return

    _token = token

    @property
    def userId(self) -> str | None:  # noqa: N802 - pyspark's name
        """The user that Spark keeps the session for: never the account that this process happens to run under."""
        given = super().userId
        if given is not None:
            return str(given)
        target = self.provider.target
        if target.auth_type == M2M:
            return target.client_id
        return target.user or (self.provider.identity() if target.is_person else None) or ""

    @property
    def userAgent(self) -> str:  # noqa: N802 - pyspark's name
        """What the program calls itself, then lakekey, then Spark."""
        system = platform.uname().system.lower()
        return f"{self._product} spark/{pyspark_version} os/{system} python/{platform.python_version()}"

    def toChannel(self) -> grpc.Channel:  # noqa: N802 - pyspark's name
        """A new channel. A provider that fails makes its RPCs fail with the provider's own error."""
        effective = getattr(self, "_effective_channel_options", None)  # pyspark 4.3 adds keep-alive there
        options = effective() if effective is not None else self._channel_options
        if self.secure:
            credentials = grpc.ssl_channel_credentials(self._root_certificates)
            channel = grpc.secure_channel(self.endpoint, credentials, options=options)
        else:
            channel = grpc.insecure_channel(self.endpoint, options=options)
        # Inside the caller's own interceptors, which so never see a token.
        return grpc.intercept_channel(channel, *getattr(self, "_interceptors", ()), SignIn(self.provider))

    def _parameter(self, parameter: str) -> str | None:
        """A parameter of the address."""
        try:
            return str(self.get(parameter))
        except KeyError:
            return None

    @property
    def _is_loopback(self) -> bool:
        return str(self.host).strip("[]").lower() in LOOPBACK  # pyspark 3.5 keeps the host as it is written
