"""A key ring wrapped by a key management service, which a package of its own brings in.

A package names, in the entry-point group ``lakekey.key_sources``, a callable that takes the environment (a mapping)
and returns a `KeyWrapper`. The ring is random, as everywhere; the service only wraps it, and the wrapped ring lies in
``kms.ring`` beside the cache: one call of the service for each new process, none for each entry.
"""

import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from lakekey._imports import LOADING, libraries
from lakekey.cache.keys.choice import UPGRADE
from lakekey.cache.private_files import remedy
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from lakekey.cache.keys.source import KeyPlace

NOTE = "kms.ring"
GROUP = "lakekey.key_sources"
VARIABLE = "LAKEKEY_KMS"
T = TypeVar("T")


class KeyWrapper(Protocol):
    """What a package has to provide.

    Attributes:
        where: The service's key, for people: an alias or an address, without credentials.
    """

    where: str

    def wrap(self, plaintext: bytes) -> bytes:
        """Encrypt a few hundred bytes under the service's key."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt what `wrap` returned. Raises where the service refuses or is not there."""


class KmsRing:
    """The ring that a key management service opens.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment, which the package gets to see.
        kms: The entry point's name.
    """

    name = "kms"

    def __init__(self, place: "KeyPlace", environ: Mapping[str, str], kms: str) -> None:
        self._place = place
        self._path = place.note_place(NOTE)
        self._kms = kms
        self._wrapper = _load(kms, environ)
        self.where = f"{kms}: {self._wrapper.where}"

    def read(self) -> str | None:
        """See `KeySource.read`."""
        try:
            content = self._place.read_note(NOTE)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise KeyUnavailable(
                f"the key ring {self._path} cannot be read: {reason}", hint=remedy(self._path, error)
            ) from None
        if content is None:
            return None
        try:
            fields = json.loads(content)
            newer = isinstance(fields["format"], int) and fields["format"] > 1
            wrapped = binascii.a2b_base64(fields["wrapped"])
        except (ValueError, KeyError, TypeError):
            raise self._unusable("it is damaged") from None
        if newer:
            raise KeyUnavailable(f"the key ring {self._path} was written by a later release of lakekey", hint=UPGRADE)
        return self._asked(lambda: self._wrapper.unwrap(wrapped).decode())

    def write(self, text: str) -> None:
        """See `OwnKeySource.write`."""
        wrapped = self._asked(lambda: self._wrapper.wrap(text.encode()))
        fields = {"format": 1, "kms": self._kms, "wrapped": binascii.b2a_base64(wrapped, newline=False).decode()}
        self._place.write_note(NOTE, json.dumps(fields, indent=1).encode() + b"\n")

    def erase(self) -> None:
        """See `OwnKeySource.erase`."""
        self._place.remove_note(NOTE)

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return self._unusable("it is gone")

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - a foreign package may raise anything, and may quote anything
            reason = type(error).__name__
        raise KeyUnavailable(
            f"the key management service {self.where} did not open the key ring ({reason})",
            hint="check that service, and this machine's access to its key",
        )

    def _unusable(self, reason: str) -> KeyUnavailable:
        return KeyUnavailable(
            f"the key ring {self._path} cannot be used: {reason}",
            hint="restore it from a backup, or start over with another LAKEKEY_CACHE_DIR",
        )


def choose(environ: Mapping[str, str]) -> str:
    """The service to use for a new cache: the one that ``LAKEKEY_KMS`` names, else the only one installed.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    named = environ.get(VARIABLE, "").strip()
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
        "no key management service is installed",
        hint=f"install a package that has an entry point in the group {GROUP}",
    )


def _load(kms: str, environ: Mapping[str, str]) -> KeyWrapper:
    for point in _points():
        if point.name == kms:
            try:
                with libraries():
                    make = point.load()
                wrapper: KeyWrapper = make(environ)
            except Exception as error:  # noqa: BLE001 - as above
                reason = type(error).__name__
                break
            return wrapper
    else:
        raise KeyUnavailable(
            f"the key management service {kms!r} is not installed here",
            hint=f"install the package that has it in the entry-point group {GROUP}",
        )
    raise KeyUnavailable(
        f"the key management service {kms!r} cannot be loaded ({reason})", hint="check the package that brings it"
    )


def _points() -> "Iterable[EntryPoint]":
    with LOADING:
        from importlib.metadata import entry_points

    return entry_points(group=GROUP)
