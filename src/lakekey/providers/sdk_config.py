"""The SDK's ``Config``, whose first look at the host goes by our TLS settings.

``Config`` asks each host for its metadata by a client of its own, which trusts what the environment names and nothing
else. At a host with a private CA it asks again for as long as it has patience, half a minute or five, and then goes on
without.
"""

from typing import Any

from lakekey._imports import LOADING, libraries
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError

_WELL_KNOWN = "/.well-known/databricks-config"


def config_class(target: Target, reports: list[str]) -> Any:
    """``Config`` itself, or where the target has TLS settings of its own, one that goes by them.

    Args:
        target: Whose host it is for.
        reports: Gets what went wrong on the way, which the caller logs: while this runs, other threads wait.

    Raises:
        ImportError: databricks-sdk is not installed.
    """
    with libraries():
        from databricks.sdk.core import Config
    if not target.host or not (target.ca_file or target.client_cert):
        return Config

    class TrustingConfig(Config):  # type: ignore[misc] # the SDK is not there for the type checker
        _attributes = Config.attributes()  # it collects those of its own class only

        def _resolve_host_metadata(self) -> None:
            for name, value in _metadata(target, reports).items():
                if value and not getattr(self, name):
                    setattr(self, name, value)

    return TrustingConfig


def _metadata(target: Target, reports: list[str]) -> dict[str, Any]:
    """What the host says about itself, by the SDK's names. Best effort, as it is in the SDK."""
    with LOADING:
        from lakekey.session.assembly import transport_of

    try:
        answer = transport_of(target).get(f"{target.host}{_WELL_KNOWN}")
    except LakekeyError as error:
        reports.append(error.message)
        return {}
    said = (answer.json_object() if answer.status == 200 else None) or {}
    # The SDK sends them on and shows them: so nothing that cannot be encoded.
    fields = {name: value for name, value in said.items() if str(value).isprintable()}
    account = target.account_id or fields.get("account_id")
    found = {name: fields.get(name) for name in ("workspace_id", "cloud")}
    found["account_id"] = account
    endpoint = str(fields.get("oidc_endpoint") or "").rstrip("/")
    if endpoint and (account or "{account_id}" not in endpoint):
        place = endpoint.replace("{account_id}", str(account))
        found["discovery_url"] = f"{place}/.well-known/oauth-authorization-server"
    return found
