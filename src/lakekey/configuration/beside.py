"""What stands beside a secret in its own place, in the form that is compared, and that pickles remember."""

from __future__ import annotations

from lakekey._hosts import normalize_host
from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakekey.configuration.layers import Layers

_MALFORMED = "malformed"


def said(layers: Layers, names: Iterable[str]) -> dict[str, str]:
    """What layers say of these settings; of an address, its host alone.

    Args:
        layers: The layers; they get the account and the workspace that the host's address names.
        names: The settings.
    """
    layers.take_account_of_the_host()
    layers.take_workspace_of_the_host()
    found = {}
    for name in names:
        try:
            value = layers.get(name)
            if value and name in ("host", "discovery_url"):
                value = normalize_host(value)
        except ConfigurationError:
            value = _MALFORMED
        if value:
            found[name] = value
    return found
