"""The key sources: which one the environment asks for, which one a cache has chosen, and the ring that one holds."""

from __future__ import annotations

import os

from lakekey._imports import LOADING
from lakekey.cache.keys import file
from lakekey.cache.keys.choice import NOTE, KeyChoice, parse
from lakekey.cache.keys.ring import KeyRing, parse_ring
from lakekey.errors import ConfigurationError, KeyUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakekey.cache.keys.source import KeyPlace, KeySource, OwnKeySource

SOURCES = ("keyring", "file", "env", "passphrase", "kms")
FOR_ALL = ("env", "mounted", "kms")  # what several hosts can share
GIVEN = ("env", "mounted")  # brought by the caller's environment; we read them and never write them


def choice_of(place: KeyPlace, raw: bytes) -> KeyChoice | None:
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
    if not place.shared and os.path.lexists(place.note_place(file.NOTE)):
        return KeyChoice("file", "its key file was there before anything was written down")
    return None


def require_for_all(place: KeyPlace, source: str | None) -> None:
    """Refuse a source that is one host's own for a store that hosts share: each host would make another key.

    Args:
        place: Where the cache keeps its notes.
        source: The source; ``None`` if none is configured.

    Raises:
        ConfigurationError: It is such a source, or none.
    """
    if not place.shared or source in FOR_ALL:
        return
    reasons = {
        None: "no key is configured, and a key that this host made for itself would open nothing elsewhere",
        "file": "a key file of this host opens nothing elsewhere",
        "keyring": "a keyring of this host opens nothing elsewhere",
        "passphrase": "a passphrase could be tried by everyone who can read that store",
    }
    raise ConfigurationError(
        f"{place.where} is shared by several hosts: {reasons.get(source, f'{source} is not for that')}",
        hint="give every host the same key (LAKEKEY_KEY, or a mounted LAKEKEY_KEY_FILE), or have it wrapped by a key "
        "management service (LAKEKEY_KMS)",
    )


def ring_of(source: KeySource, why: str = "") -> KeyRing:
    """The ring that a source holds.

    Raises:
        KeyUnavailable: It holds none.
    """
    text = source.read()
    if text is None:
        raise source.lost()
    try:
        return parse_ring(text, source=source.name, where=source.where, why=why)
    except KeyUnavailable as error:
        if source.name not in GIVEN:  # a new key would overwrite what is left of the one that sealed the cache
            error.hint = source.lost().hint
        raise


def configured(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The source that the environment asks for, and by which setting; ``None`` if it does not say.

    Raises:
        ConfigurationError: ``LAKEKEY_KEY_SOURCE`` is not one of ours.
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
        ("LAKEKEY_KMS", "kms"),
    ):
        if environ.get(variable, "").strip():
            return source, variable
    return None


def open_source(choice: KeyChoice, place: KeyPlace, environ: Mapping[str, str]) -> KeySource:
    """The source that a choice names.

    Raises:
        KeyUnavailable: It cannot be reached, or this release does not have it.
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


def own_source(choice: KeyChoice, place: KeyPlace, environ: Mapping[str, str]) -> OwnKeySource:
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
            from lakekey.cache.keys.kms.wrapped_ring import KmsRing

        return KmsRing(place, environ, choice.kms, choice.cache)
    raise KeyUnavailable(
        f"the key of this cache is in a source that this release does not know: {choice.source!r}",
        hint="use the release of lakekey that made it",
    )
