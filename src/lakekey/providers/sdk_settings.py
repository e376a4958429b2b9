"""What one of the SDK's own strategies is built from, and what its errors must not show of that."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lakekey._hosts import normalize_host
from lakekey._imports import LOADING
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError
from lakekey.oauth.redaction import redacted

if TYPE_CHECKING:
    from databricks.sdk.core import Config

# Bounds on the SDK's probe of the host, which otherwise may take five minutes.
_PATIENCE = {"http_timeout_seconds": 30, "retry_timeout_seconds": 30}
# Those of a notebook decide for themselves where they lead, whatever was configured.
_OF_A_NOTEBOOK = ("runtime", "runtime-oauth")


class SdkSettings:
    """The settings that the SDK is given for a target.

    Args:
        target: What is signed in to.
    """

    def __init__(self, target: Target) -> None:
        self._used: Mapping[str, str] = target.sdk_settings

    def config(self, target: Target, reports: list[str]) -> "Config":
        """The SDK's ``Config`` with a strategy that is built.

        Args:
            target: What is signed in to, at the host that Azure has named where an earlier call has asked it.
            reports: Gets what went wrong on the way, which the caller logs.

        Raises:
            ConfigurationError: databricks-sdk, or a secret, is not here.
            Exception: What the SDK raises.
        """
        with LOADING:
            from lakekey.providers.sdk_config import config_class
        try:
            config = config_class(target, reports)
        except ImportError:
            raise ConfigurationError(
                f"{target.auth_type} needs databricks-sdk", hint="pip install 'lakekey[sdk]'"
            ) from None
        # profile="": what was resolved counts, and the SDK must not read the file once more.
        self._used = _unpickled(target)
        settings: dict[str, Any] = {"profile": "", **_PATIENCE, **self._used}
        if "scopes" in target.sources:
            settings["scopes"] = list(target.scopes)
        built: Config = config(
            host=target.host or None, auth_type=target.auth_type, group_id=target.group_id, **settings
        )
        return built

    def redacted(self, error: Exception) -> str:
        """What an error of the SDK says, without the secrets that the SDK was given."""
        # The SDK appends the whole configuration to what went wrong.
        text = str(error).partition(". Config: ")[0].partition(". Env: ")[0] or type(error).__name__
        for name, value in self._used.items():
            if len(value) > 3 and name not in ("cloud", "azure_environment"):
                text = text.replace(value, f"[{name}]")
        return redacted(text, (value for name, value in self._used.items() if SETTINGS[name].secret))[:400]


def where_it_leads(target: Target, built: "Config") -> Target:
    """The target, with what the strategy has found for it. A token for another place is refused.

    Args:
        target: What is signed in to.
        built: The SDK's ``Config``, in which a strategy may have replaced the host, the account and the workspace.

    Raises:
        ConfigurationError: The strategy leads elsewhere than the target.
    """
    host = normalize_host(built.host, target.profile, f"by {target.auth_type}")
    said: dict[str, str | None] = {"host": host}
    if target.auth_type in _OF_A_NOTEBOOK:
        # The SDK writes what the runtime does not tell as "None".
        said |= {name: _unless_none(getattr(built, name)) for name in ("account_id", "workspace_id")}
    for name, theirs in said.items():
        ours = getattr(target, name)
        if ours and theirs and ours != theirs:
            raise ConfigurationError(
                f"{target.auth_type} signs in to {name} {theirs} alone, and {name} "
                f"({target.sources.get(name) or target.sources.get('host', '')}) is {ours}",
                hint=f"remove {name}, or set an auth_type that signs in there",
                profile=target.name,
            )
    return target if target.host else target.at(host)


def _unless_none(value: object) -> str | None:
    return None if value in (None, "", "None") else str(value)


def _unpickled(target: Target) -> Mapping[str, str]:
    """What the strategy reads, with the secret that `pickle` left behind found again."""
    with LOADING:
        from lakekey.configuration.unpickled import sdk_settings

    return sdk_settings(target)
