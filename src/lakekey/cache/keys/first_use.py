"""The first use of a cache: choose where its key is kept, make the key, and write the choice down."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from lakekey import _log
from lakekey._imports import LOADING, libraries
from lakekey.cache import private_files
from lakekey.cache.keys import choice
from lakekey.cache.keys.choice import Pin
from lakekey.cache.keys.ring import format_ring, key_id, new_key
from lakekey.cache.keys.sources import open_source, own_source, pin_of, ring_of
from lakekey.errors import KeyUnavailable, LockTimeout

_PATIENCE = 60.0  # the first process may be waiting for a person to unlock the keyring


def choose(directory: str, environ: Mapping[str, str], wanted: tuple[str, str] | None) -> Pin:
    """Choose the key source of a cache that has none yet. Of several processes at once, one chooses.

    Args:
        directory: The cache directory.
        environ: The environment.
        wanted: The source that is configured, and by which setting.

    Returns:
        The choice, written down.

    Raises:
        ConfigurationError, KeyUnavailable: The configured source cannot be used.
        OSError: Nothing can be written.
    """
    with only_one(directory):
        pin = pin_of(directory, choice.stamp(directory))
        if pin is not None:
            return pin
        if wanted is None:
            pin = _default(directory, environ)
        else:
            pin = plan(wanted[0], f"{wanted[1]} asks for it", environ)
            if pin.source in ("env", "mounted"):
                ring_of(open_source(pin, directory, environ))
            else:
                pin = fill(pin, directory, environ)
        choice.write(directory, pin)
    _log.info("cache", "the key of the token cache in %s is kept by source %s: %s", directory, pin.source, pin.why)
    return pin


def plan(source: str, why: str, environ: Mapping[str, str]) -> Pin:
    """A choice that is not carried out yet: which backend, which item, which service.

    Raises:
        ConfigurationError, KeyUnavailable: That source is not to be had.
    """
    pin = Pin(source, why, choice.now())
    if source == "keyring":
        with LOADING:
            from lakekey.cache.keys import keyring as keyring_source

        try:
            backend = keyring_source.find(environ)
        except keyring_source.KeyringTrouble as trouble:
            said = str(trouble)
        else:
            return pin._replace(backend=backend, item=os.urandom(8).hex())
        raise KeyUnavailable(
            f"the OS keyring was asked for, but {said}", hint="mend it, or choose with LAKEKEY_KEY_SOURCE=file"
        )
    if source == "kms":
        with LOADING:
            from lakekey.cache.keys.kms import choose as choose_kms

        return pin._replace(kms=choose_kms(environ))
    return pin


def fill(pin: Pin, directory: str, environ: Mapping[str, str], keys: tuple[bytes, ...] = ()) -> Pin:
    """Put a ring into a source, and see that it can be read back.

    Args:
        pin: The choice.
        directory: The cache directory.
        environ: The environment.
        keys: The ring's keys, the current one first; none for a single new one.

    Returns:
        The choice, with the id of the current key.

    Raises:
        KeyUnavailable: The source does not give back what it was given.
        OSError: It cannot be written.
    """
    keys = keys or (new_key(),)
    source = own_source(pin, directory, environ)
    source.write(format_ring(keys))
    ring = ring_of(source)
    if tuple(ring.keys.values()) != keys:
        raise KeyUnavailable(
            f"{source.where} did not give back the key that was put there",
            hint="choose another source with LAKEKEY_KEY_SOURCE",
        )
    return pin._replace(current=key_id(keys[0]).hex())


def _default(directory: str, environ: Mapping[str, str]) -> Pin:
    """The OS keyring where it works; else a key file, and the reason is kept."""
    with LOADING:
        from lakekey.cache.keys import keyring as keyring_source

    try:
        backend = keyring_source.find(environ)
    except keyring_source.KeyringTrouble as trouble:
        reason, absent = str(trouble), trouble.kind == "absent"
    else:
        pin = Pin("keyring", "the OS keyring works here", choice.now(), backend=backend, item=os.urandom(8).hex())
        try:
            return fill(pin, directory, environ)
        except KeyUnavailable as error:
            # It is there but keeps nothing for us now: locked, hanging, or its items are too small. No key of this
            # cache is in it, so a key file replaces nothing; but it is said aloud.
            reason, absent = str(error.__cause__ or error.message), False
    if not absent:
        _log.warning(
            "cache", "the key of the token cache is kept in a file in %s: %s; once the keyring works, move it there "
            "with: lakekey keys rotate --to keyring", directory, reason,
        )  # fmt: skip
    return fill(Pin("file", reason, choice.now()), directory, environ)


@contextlib.contextmanager
def only_one(directory: str) -> Iterator[None]:
    """One process at a time changes where a cache's key is, or which it is.

    Raises:
        LockTimeout: Another is at it for too long.
        UnsafeCache: The directory has become one that others can enter.
        OSError: The lock file cannot be made.
    """
    private_files.ensure_directory(directory)  # taken away meanwhile, the library would make it anew, open to others
    with libraries():
        import filelock

    lock = filelock.FileLock(os.path.join(directory, "cache.lock"), mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout:
        raise LockTimeout(
            f"another process is changing the key of the cache in {directory} for more than {_PATIENCE:g} s",
            hint="wait for it, or end it",
        ) from None
    try:
        yield
    finally:
        lock.release()
