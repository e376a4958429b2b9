"""The first use of a cache: choose where its key is kept, make the key, and write the choice down."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey import _log
from lakekey._imports import LOADING
from lakekey._inside_work import as_work
from lakekey.cache.keys import anchor, choice
from lakekey.cache.keys.choice import ChangedElsewhere, Damaged, KeyChoice, raw_choice, write_choice
from lakekey.cache.keys.ring import format_ring, key_id, new_key
from lakekey.cache.keys.sources import GIVEN, choice_of, open_source, own_source, require_for_all, ring_of
from lakekey.errors import KeyUnavailable

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace, OwnKeySource


def choose(
    place: "KeyPlace", environ: Mapping[str, str], wanted: tuple[str, str] | None, found: KeyChoice | None
) -> KeyChoice:
    """Choose the key source of a cache that has none yet. Of several processes at once, one chooses.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment.
        wanted: The source that is configured, and by which setting.
        found: The choice that was lost, and is found again.

    Returns:
        The choice, written down.

    Raises:
        ConfigurationError, KeyUnavailable: The configured source cannot be used.
        OSError: Nothing can be written.
    """
    with as_work(), place.changing_key():
        raw = raw_choice(place)
        try:
            made = choice_of(place, raw)
        except Damaged:
            made = None
        if made is not None:
            return made
        if found is not None:
            made = found
        elif wanted is None:
            require_for_all(place, None)
            made = _default(place, environ)
        else:
            require_for_all(place, wanted[0])
            made = plan(wanted[0], f"{wanted[1]} asks for it", environ)
            if made.source in GIVEN:
                ring = ring_of(open_source(made, place, environ))
                if place.shared:  # by which a host that is given another key notices before it writes
                    made = made._replace(current=ring.current.hex())
            else:
                try:
                    made = fill(made, own_source(made, place, environ))
                except ChangedElsewhere:
                    return _made_elsewhere(place)
        if not write_choice(place, made, replaces=raw):
            return _made_elsewhere(place)
        anchor.remember(environ, place.where, made)
    _log.info("cache", "the key of the token cache in %s is kept by source %s: %s", place.where, made.source, made.why)
    _audit(place, environ, "chosen", made)
    return made


def _made_elsewhere(place: "KeyPlace") -> KeyChoice:
    """The choice that another host has made while this one lost its lease. What this one has made opens nothing."""
    try:
        made = choice_of(place, raw_choice(place))
    except Damaged:
        made = None
    if made is None:
        raise KeyUnavailable(
            f"the key of the cache in {place.where} was changed by another process at the same time",
            hint="run it again",
        )
    return made


def forget(place: "KeyPlace", environ: Mapping[str, str]) -> None:
    """Remove a cache's key from a source of ours, and the choice of it. What is sealed under it opens no more.

    Raises:
        KeyUnavailable, CacheError: It cannot be removed.
    """
    with as_work(), place.changing_key():
        try:
            made = choice_of(place, raw_choice(place))
        except Damaged:
            made = None
        # The note goes first: a key without a note is found again, a note without its key is an error.
        place.remove_note(choice.NOTE)
        anchor.forget(environ, place.where)
        if made is not None and made.source not in GIVEN:
            own_source(made, place, environ).erase()
    _audit(place, environ, "forgotten", made)


def _audit(place: "KeyPlace", environ: Mapping[str, str], action: str, made: KeyChoice | None) -> None:
    with LOADING:
        from lakekey.observability import audit

    detail = f"{made.source} {made.current}".strip() if made is not None else None
    audit.record(audit.KEY_CHANGE, environ=environ, action=action, detail=detail, store=place.where)


def plan(source: str, why: str, environ: Mapping[str, str]) -> KeyChoice:
    """A choice that is not carried out yet: which backend, which item, which service.

    Raises:
        ConfigurationError, KeyUnavailable: That source is not to be had.
    """
    planned = KeyChoice(source, why, choice.now())
    if source == "keyring":
        with LOADING:
            from lakekey.cache.keys import keyring as keyring_source

        try:
            backend = keyring_source.find(environ)
        except keyring_source.KeyringTrouble as trouble:
            said = str(trouble)
        else:
            return planned._replace(backend=backend, item=os.urandom(8).hex())
        raise KeyUnavailable(
            f"the OS keyring was asked for, but {said}", hint="fix it, or use a key file: LAKEKEY_KEY_SOURCE=file"
        )
    if source == "kms":
        with LOADING:
            from lakekey.cache.keys.kms.services import choose as choose_kms

        return planned._replace(kms=choose_kms(environ), cache=os.urandom(8).hex())
    return planned


def fill(chosen: KeyChoice, source: "OwnKeySource", keys: tuple[bytes, ...] = ()) -> KeyChoice:
    """Put a ring into a source, and see that it can be read back.

    Args:
        chosen: The choice.
        source: The source that it names.
        keys: The ring's keys, the current one first; none for a single new one.

    Returns:
        The choice, with the id of the current key.

    Raises:
        KeyUnavailable: The source does not give back what it was given.
        OSError: It cannot be written.
    """
    keys = keys or (new_key(),)
    source.write(format_ring(keys))
    ring = ring_of(source)
    if tuple(ring.keys.values()) != keys:
        raise KeyUnavailable(
            f"{source.where} did not give back the key that was put there",
            hint="choose another source with LAKEKEY_KEY_SOURCE",
        )
    return chosen._replace(current=key_id(keys[0]).hex())


def _default(place: "KeyPlace", environ: Mapping[str, str]) -> KeyChoice:
    """The OS keyring where it works; else a key file, and the reason is kept."""
    with LOADING:
        from lakekey.cache.keys import keyring

    try:
        backend = keyring.find(environ)
    except keyring.KeyringTrouble as trouble:
        reason, absent = str(trouble), trouble.kind == "absent"
    else:
        made = KeyChoice(
            "keyring", "the OS keyring works here", choice.now(), backend=backend, item=os.urandom(8).hex()
        )
        try:
            return fill(made, own_source(made, place, environ))
        except KeyUnavailable as error:
            # It is there but keeps nothing for us now: locked, hanging, or its items are too small. No key of this
            # cache is in it, so a key file replaces nothing; but it is said aloud.
            reason, absent = str(error.__cause__ or error.message), False
    if (before := anchor.recall(environ, place.where)) is not None:
        raise KeyUnavailable(
            f"the key of the cache in {place.where} was kept in {before.source!r} before, and {reason}",
            hint="make that available again, or start over with a key file: LAKEKEY_KEY_SOURCE=file",
        )
    if not absent:
        _log.warning(
            "cache", "the key of the token cache is kept in a file in %s: %s; once the keyring works, move it there "
            "with: lakekey keys rotate --to keyring", place.where, reason,
        )  # fmt: skip
    made = KeyChoice("file", reason, choice.now())
    return fill(made, own_source(made, place, environ))
