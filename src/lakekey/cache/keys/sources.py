"""The key sources: which one the environment asks for, which one a cache has chosen, and the ring that one holds."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey._imports import LOADING
from lakekey.cache.keys import file
from lakekey.cache.keys.choice import NOTE, KeyChoice, parse
from lakekey.cache.keys.ring import KeyRing, parse_ring
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace, KeySource, OwnKeySource

SOURCES = ("keyring", "file", "env", "passphrase", "kms")
GIVEN = ("env", "mounted")  # brought by the caller's environment; we read them and never write them


def choice_of(place: "KeyPlace", raw: bytes) -> KeyChoice | None:
    """The choice that a cache has made, if it has.

    Args:
        place: Where the cache keeps its notes.
        raw: What `raw_choice` gave.

    Raises:
        KeyUnavailable: A later release wrote it.
        Damaged: It is not one.
    """
    path = place.note_place(NOTE)
    if raw:
        return parse(raw, path)
    if os.path.lexists(place.note_place(file.NOTE)):
        return KeyChoice("file", "its key file was there before anything was written down")
    return None


def ring_of(source: "KeySource", why: str = "") -> KeyRing:
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
            f"LAKEKEY_KEY_SOURCE={named!r} is not a key source of this release",
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


def open_source(choice: KeyChoice, place: "KeyPlace", environ: Mapping[str, str]) -> "KeySource":
    """The source that a choice names.

    Raises:
        KeyUnavailable: It cannot be reached, or is none of this release.
    """
    if choice.source in GIVEN:
        # One key may come by either road: from the environment here, from a mounted file there.
        wanted = configured(environ)
        if wanted is not None and wanted[0] == "mounted":
            return file.MountedFile(environ["LAKEKEY_KEY_FILE"].strip())
        with LOADING:
            from lakekey.cache.keys.environment import EnvironmentKey

        return EnvironmentKey(environ)
    return own_source(choice, place, environ)


def own_source(choice: KeyChoice, place: "KeyPlace", environ: Mapping[str, str]) -> "OwnKeySource":
    """The source that a choice names, which must be one that we write ourselves."""
    if choice.source == "file":
        return file.KeyFile(place)
    if choice.source == "keyring":
        with LOADING:
            from lakekey.cache.keys.keyring import KeyringItem

        return KeyringItem(choice.backend, choice.item, environ)
    if choice.source == "passphrase":
        with LOADING:
            from lakekey.cache.keys.passphrase import PassphraseRing

        return PassphraseRing(place, environ)
    if choice.source == "kms":
        with LOADING:
            from lakekey.cache.keys.kms import KmsRing

        return KmsRing(place, environ, choice.kms)
    raise KeyUnavailable(
        f"the key of this cache is in a source that this release does not know: {choice.source!r}",
        hint="use the release of lakekey that made it",
    )
