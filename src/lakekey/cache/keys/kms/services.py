"""Which service ``LAKEKEY_KMS`` means: one of ours, as ``aws:KEY``, or a package's, by its entry point's name."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from lakekey._imports import LOADING, libraries
from lakekey.cache.keys.kms.service import GROUP, KeyService, KeyWrapper, Kind
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

VARIABLE = "LAKEKEY_KMS"
OURS = ("aws", "vault", "azure", "gcp")
_FORMS = "aws:KEY, vault:MOUNT/KEY, azure:KEY-URL, gcp:KEY-NAME"


class _FromPackage:
    """A package's `KeyWrapper`, which knows no context: the seal of the ring binds it (`wrapped_ring`)."""

    def __init__(self, name: str, wrapper: KeyWrapper) -> None:
        self.where = f"{name}: {wrapper.where}"
        self.hints: dict[Kind, str] = {}
        self._wrapper = wrapper

    def wrap(self, key: bytes, context: str) -> bytes:  # noqa: ARG002
        """See `KeyService.wrap`."""
        return self._wrapper.wrap(key)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:  # noqa: ARG002
        """See `KeyService.unwrap`."""
        return self._wrapper.unwrap(wrapped)


def choose(environ: Mapping[str, str]) -> str:
    """The service to use for a new ring: the one that ``LAKEKEY_KMS`` names, else the only package installed.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    named = configured(environ)
    if named:
        return named
    installed = sorted(point.name for point in _points())
    if len(installed) == 1:
        return installed[0]
    if installed:
        raise ConfigurationError(
            f"several key management services are installed: {', '.join(installed)}", hint=f"name one in {VARIABLE}"
        )
    raise ConfigurationError(
        "LAKEKEY_KEY_SOURCE=kms names no key management service", hint=f"set {VARIABLE} to one of {_FORMS}"
    )


def configured(environ: Mapping[str, str]) -> str:
    """What ``LAKEKEY_KMS`` says; empty where it says nothing."""
    return environ.get(VARIABLE, "").strip()


def open_service(name: str, environ: Mapping[str, str]) -> KeyService:
    """The service that a ring was made with. No request is made yet.

    Args:
        name: As ``LAKEKEY_KMS`` has it.
        environ: The environment.

    Raises:
        ConfigurationError: It is one of ours, and the key is not named as it has to be.
        KeyUnavailable: It is a package's, and cannot be loaded.
    """
    kind, colon, key = name.partition(":")
    if not colon or kind not in OURS:
        return _FromPackage(name, _load(name, environ))
    with LOADING:
        if kind == "aws":
            from lakekey.cache.keys.kms.aws import AwsKms as Service
        elif kind == "vault":
            from lakekey.cache.keys.kms.vault import VaultTransit as Service  # type: ignore[assignment]
        elif kind == "azure":
            from lakekey.cache.keys.kms.azure import AzureKeyVault as Service  # type: ignore[assignment]
        else:
            from lakekey.cache.keys.kms.gcp import GoogleCloudKms as Service  # type: ignore[assignment]
    return Service(key, environ)


def _load(name: str, environ: Mapping[str, str]) -> KeyWrapper:
    for point in _points():
        if point.name == name:
            try:
                with libraries():
                    make = point.load()
                wrapper: KeyWrapper = make(environ)
            except Exception as error:  # noqa: BLE001 - a foreign package may raise anything, and may quote anything
                reason = type(error).__name__
                break
            return wrapper
    else:
        raise KeyUnavailable(
            f"the key management service {name!r} is not installed here",
            hint=f"set {VARIABLE} to one of {_FORMS}, or install the package that has it in the entry-point group "
            f"{GROUP}",
        )
    raise KeyUnavailable(
        f"the key management service {name!r} cannot be loaded ({reason})", hint="check the package that brings it"
    )


def _points() -> "Iterable[EntryPoint]":
    with LOADING:
        from importlib.metadata import entry_points

    return entry_points(group=GROUP)
