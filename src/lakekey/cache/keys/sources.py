"""Which source holds the master keys of a cache, and the ring that is in force.

The first process to use a cache chooses, and writes the choice down (`lakekey.cache.keys.choice`):

1. what ``LAKEKEY_KEY_SOURCE`` names; else
2. what is configured: ``LAKEKEY_KEY``, ``LAKEKEY_KEY_FILE``, ``LAKEKEY_PASSPHRASE``; else
3. the OS keyring where it works, and where it does not, a key file.

From then on the choice stands. A process that is configured otherwise, or that cannot reach the source, gets an
error; it never starts a second key, and never falls back to a weaker place.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from lakekey._imports import LOADING
from lakekey.cache.keys import choice
from lakekey.cache.keys.choice import Pin
from lakekey.cache.keys.environment import EnvironmentKey
from lakekey.cache.keys.file import KeyFile, MountedFile, path_in
from lakekey.cache.keys.ring import KeyRing, parse_ring
from lakekey.errors import ConfigurationError, KeyUnavailable

SOURCES = ("keyring", "file", "env", "passphrase", "kms")
FILES = MappingProxyType({"file": "master.key", "passphrase": "passphrase.ring", "kms": "kms.ring"})  # in the cache
_GIVEN = ("env", "mounted")  # brought by whoever starts us; we read them and never write them


class KeySource(Protocol):
    """A place that holds a ring's text form."""

    name: str
    where: str

    def read(self) -> str | None:
        """The text, or ``None`` where there is none. Raises `KeyUnavailable` where that cannot be told."""

    def lost(self) -> KeyUnavailable:
        """The error for a ring that should be there and is not."""


class OwnKeySource(KeySource, Protocol):
    """A place that we write to ourselves."""

    def write(self, text: str) -> None:
        """Put the text in place of what is there, durably."""

    def erase(self) -> None:
        """Remove it."""


class Keys:
    """The ring of one cache, read again when it may have changed.

    Args:
        directory: The cache directory, which is known to be safe.
        environ: The environment.
        moving: Whether the ring is about to be moved, so that the environment may name another source.

    Raises:
        ConfigurationError: The configured source is none of ours, or not the one that holds this cache's key.
        KeyUnavailable: The source holds no usable key, or cannot be reached.
        OSError: A first key cannot be written.
    """

    def __init__(self, directory: str, environ: Mapping[str, str], *, moving: bool = False) -> None:
        self.directory = directory
        self.environ = environ
        self._moving = moving
        self._stamp = b""
        self.ring = self.read()

    def current(self) -> KeyRing:
        """The ring, read again if another process has changed it since. Costs one small file."""
        if choice.stamp(self.directory) != self._stamp:
            self.read()
        return self.ring

    def read(self) -> KeyRing:
        """The ring, read anew."""
        stamp = choice.stamp(self.directory)  # before the ring: a change in between is seen the next time
        pin = pin_of(self.directory, stamp)
        wanted = configured(self.environ)
        if pin is None:
            pin = self._choose(wanted)
            stamp = choice.stamp(self.directory)
        elif not self._moving:
            _agree(pin, wanted, self.directory)
        try:
            self.ring = ring_of(open_source(pin, self.directory, self.environ), pin.why)
        except KeyUnavailable:
            if choice.stamp(self.directory) == stamp:
                raise
            return self.read()  # it was moved to another source just now
        self._stamp = stamp
        return self.ring

    def _choose(self, wanted: tuple[str, str] | None) -> Pin:
        with LOADING:
            from lakekey.cache.keys.first_use import choose

        try:
            return choose(self.directory, self.environ, wanted)
        except OSError:
            if wanted is None or wanted[0] not in _GIVEN:
                raise
            # Nothing can be written here, but there is nothing that has to be: the key is brought along.
            return Pin(wanted[0], f"{wanted[1]} asks for it")


def pin_of(directory: str, stamp: bytes) -> Pin | None:
    """The choice that a cache has made, if it has."""
    if stamp:
        return choice.parse(stamp, directory)
    if os.path.lexists(path_in(directory)):
        return Pin("file", "its key file was there before anything was written down")
    return None


def ring_of(source: KeySource, why: str = "") -> KeyRing:
    """The ring that a source holds.

    Raises:
        KeyUnavailable: It holds none.
    """
    text = source.read()
    if text is None:
        raise source.lost()
    return parse_ring(text, source=source.name, where=source.where, why=why)


def configured(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The source that the environment asks for, and by which setting; ``None`` where it does not say.

    Raises:
        ConfigurationError: ``LAKEKEY_KEY_SOURCE`` is none of ours.
    """
    named = environ.get("LAKEKEY_KEY_SOURCE", "").strip().lower()
    if named and named not in SOURCES:
        raise ConfigurationError(
            f"LAKEKEY_KEY_SOURCE is {named!r}, which is none of the key sources of this release",
            hint=f"set it to one of {', '.join(SOURCES)}",
        )
    if named == "file" and environ.get("LAKEKEY_KEY_FILE", "").strip():
        return "mounted", "LAKEKEY_KEY_FILE"
    if named:
        return named, "LAKEKEY_KEY_SOURCE"
    for variable, source in (
        ("LAKEKEY_KEY", "env"),
        ("LAKEKEY_KEY_FILE", "mounted"),
        ("LAKEKEY_PASSPHRASE", "passphrase"),
    ):
        if environ.get(variable, "").strip():
            return source, variable
    return None


def open_source(pin: Pin, directory: str, environ: Mapping[str, str]) -> KeySource:
    """The source that a choice names.

    Raises:
        KeyUnavailable: It cannot be reached, or is none of this release.
    """
    if pin.source in _GIVEN:
        # One key may come by either road: from the environment here, from a mounted file there.
        wanted = configured(environ)
        if wanted is not None and wanted[0] == "mounted":
            return MountedFile(environ["LAKEKEY_KEY_FILE"].strip())
        return EnvironmentKey(environ)
    return own_source(pin, directory, environ)


def own_source(pin: Pin, directory: str, environ: Mapping[str, str]) -> OwnKeySource:
    """The source that a choice names, which must be one that we write ourselves."""
    if pin.source == "file":
        return KeyFile(directory)
    if pin.source == "keyring":
        with LOADING:
            from lakekey.cache.keys.keyring import KeyringItem

        return KeyringItem(pin.backend, pin.item, environ)
    if pin.source == "passphrase":
        with LOADING:
            from lakekey.cache.keys.passphrase import PassphraseRing

        return PassphraseRing(directory, environ)
    if pin.source == "kms":
        with LOADING:
            from lakekey.cache.keys.kms import KmsRing

        return KmsRing(directory, environ, pin.kms)
    raise KeyUnavailable(
        f"the key of this cache is in a source that this release does not know: {pin.source!r}",
        hint="use the release of lakekey that made it",
    )


def _agree(pin: Pin, wanted: tuple[str, str] | None, directory: str) -> None:
    if wanted is None or wanted[0] == pin.source or (wanted[0] in _GIVEN and pin.source in _GIVEN):
        return
    source, setting = wanted
    way = (
        "use another LAKEKEY_CACHE_DIR" if source in _GIVEN else f"move the key with: lakekey keys rotate --to {source}"
    )
    raise KeyUnavailable(
        f"{setting} asks for the key source {source!r}, but the key of the cache in {directory} is kept in "
        f"{pin.source!r} ({pin.why})",
        hint=f"unset {setting}, or {way}",
    )
