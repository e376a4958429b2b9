"""A key ring in the environment: ``LAKEKEY_KEY``."""

from collections.abc import Mapping

from lakekey.errors import KeyUnavailable

VARIABLE = "LAKEKEY_KEY"


class EnvironmentKey:
    """The ring in the environment of this process.

    Args:
        environ: The environment.
    """

    name = "env"
    where = VARIABLE

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self) -> str | None:
        """See `KeySource.read`."""
        return self._environ.get(VARIABLE, "").strip() or None

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return KeyUnavailable(
            f"the key of this cache comes from the environment, but {VARIABLE} is not set",
            hint=f"set {VARIABLE} to the key that sealed this cache",
        )
