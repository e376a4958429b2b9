"""Whether the key that a cache leads to is this user's: others who can write to the cache may have named another.

A key file, and a key that a management service has wrapped, can be made by anyone who can write to the cache. So they
are believed where the user has configured them, or has last seen the cache under them (`lakekey.cache.keys.anchor`). A
cache of this machine that its user has never seen is believed, too. One that hosts share is not.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey._commands import word
from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import NOTE, KeyChoice
from lakekey.cache.keys.kms import services
from lakekey.cache.keys.sources import configured
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace


def require_ours(place: "KeyPlace", environ: Mapping[str, str], choice: KeyChoice, *, moving: bool = False) -> None:
    """Refuse a key file or a key management service that others may have led us to.

    A service that is configured is the one that this user has last seen, from then on.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment.
        choice: What the cache names.
        moving: Whether the key or the entries are to be moved, so that the environment may name another source.

    Raises:
        KeyUnavailable: The user has neither configured it nor last seen the cache under it.
    """
    before = anchor.recall(environ, place.where)
    note = place.note_place(NOTE)
    if choice.source == "kms":
        _require_service(place, environ, choice, before, moving=moving)
    elif place.shared:
        raise KeyUnavailable(
            f"the cache in {place.where} is shared by several hosts, and its {NOTE} names a key source that is not "
            f"for that, {choice.source!r}: lakekey does not write that there, but anyone who can write there could",
            hint=f"restore {note}, or remove it: the key is then found again by what the entries name",
        )
    elif before is not None:
        confirmed = "LAKEKEY_KEY_SOURCE=file"
        if environ.get("LAKEKEY_KEY_FILE", "").strip():
            confirmed += " and without LAKEKEY_KEY_FILE"
        raise KeyUnavailable(
            f"the key of the cache in {place.where} was kept in {before.source!r}, but {NOTE} now "
            "names a key file, which anyone who can write there could have put there",
            hint=f"restore {note}; if you moved the key there on another machine, confirm it: with {confirmed}, run: "
            "lakekey keys rotate --to file",
        )


def is_our_service(service: str, where: str, environ: Mapping[str, str]) -> bool:
    """Whether a key management service is configured, or is the one that this user has last seen in a cache.

    Args:
        service: As ``LAKEKEY_KMS`` has it.
        where: The cache.
        environ: The environment.
    """
    # In this order: a move writes the second before it takes the first away.
    seen = (anchor.expected(environ, where), anchor.recall(environ, where))
    return service != "" and (any(_names(each, service) for each in seen) or service == _configured(environ))


def _require_service(
    place: "KeyPlace", environ: Mapping[str, str], choice: KeyChoice, before: KeyChoice | None, *, moving: bool
) -> None:
    if is_our_service(choice.kms, place.where, environ):
        # In a store that hosts share also the first time: a move to another service needs both, and can name one.
        if (before is not None or place.shared) and not _names(before, choice.kms):
            anchor.remember(environ, place.where, choice)
        return
    setting = f"LAKEKEY_KMS={word(choice.kms)}"
    wanted = configured(environ)
    # Named so, this source counts whatever else is set.
    settings = setting if wanted is None or wanted[0] == "kms" else f"LAKEKEY_KEY_SOURCE=kms and {setting}"
    if before is not None:
        change = (
            f"wrapped by {before.kms!r}, and now by"
            if before.source == "kms"
            else f"kept in {before.source!r}, and is now wrapped by"
        )
        raise KeyUnavailable(
            f"the key of the cache in {place.where} was {change} {choice.kms!r}, which anyone who can write there "
            "could have put there",
            hint=f"if you moved the key there, confirm it with: {setting}",
        )
    if place.shared:
        raise KeyUnavailable(
            f"the key of the cache in {place.where} is wrapped by {choice.kms!r}, which is not configured here, and "
            "anyone who can write there could have put it there",
            hint="if that is the service of your hosts, "
            + (f"look at it once with {settings}: lakekey store check" if moving else f"set {settings} on each host"),
        )


def _names(choice: KeyChoice | None, service: str) -> bool:
    return choice is not None and choice.source == "kms" and choice.kms == service


def _configured(environ: Mapping[str, str]) -> str:
    """The service that the user has configured: by its name, or as the only one that a package brings."""
    named = services.configured(environ)
    if named or environ.get("LAKEKEY_KEY_SOURCE", "").strip().lower() != "kms":
        return named
    try:
        return services.choose(environ)
    except ConfigurationError:
        return ""
