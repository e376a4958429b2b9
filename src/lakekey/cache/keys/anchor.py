"""A copy of the key's choice outside the cache, so that no weaker source can replace it in the cache.

The cache may lie where others can write without having its key: a synchronised folder, a volume, a restored backup.
Who can write there could write a choice of their own and a key file that they know, and read what is sealed from then
on. So this user's configuration directory keeps a copy of each choice that is not a key file beside the entries. It
also is what a choice is found again by. No secret is in it.

Where there is no such directory, or nothing can be written there, there is no copy, and a cache is believed.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Mapping

from lakekey._imports import expanded
from lakekey.cache import durable_files, private_files
from lakekey.cache.keys.choice import Damaged, KeyChoice, parse
from lakekey.errors import CacheError

WEAKEST = "file"  # the one source that lies beside what it seals


def path_of(environ: Mapping[str, str], where: str) -> str | None:
    """Where the copy for a cache is; ``None`` for a user who has no place for it."""
    # Without the variable, a cache lies in the account's own home all the same (`opening.cache_directory`).
    if sys.platform == "win32":
        base = environ.get("APPDATA")
        if base is None:
            base = os.path.join(expanded("~"), "AppData", "Roaming")
    else:
        base = environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(base):
            home = environ.get("HOME")
            home = expanded("~") if home is None else home
            base = os.path.join(home, ".config") if os.path.isabs(home) else ""
    if not os.path.isabs(base):
        return None
    name = hashlib.sha256(where.encode(errors="surrogateescape")).hexdigest()[:32]
    return os.path.join(base, "lakekey", "key-sources", f"{name}.json")


def recall(environ: Mapping[str, str], where: str) -> KeyChoice | None:
    """The choice that this user has seen in a cache, where it is one that may not be weakened."""
    return _read(path_of(environ, where))


def expected(environ: Mapping[str, str], where: str) -> KeyChoice | None:
    """The choice that this user is about to move a cache's key to, or was when the move was interrupted."""
    return _read(_next(path_of(environ, where)))


def expect(environ: Mapping[str, str], where: str, choice: KeyChoice) -> None:
    """Keep the choice that is written into a cache next, so that no other process takes it for someone else's."""
    _write(_next(path_of(environ, where)), choice)


def remember(environ: Mapping[str, str], where: str, choice: KeyChoice) -> None:
    """Keep a choice; one of a key file takes the copy away, since it is made on purpose where this is called."""
    if choice.source == WEAKEST:
        forget(environ, where)
        return
    path = path_of(environ, where)
    if _write(path, choice):
        _remove(_next(path))


def forget(environ: Mapping[str, str], where: str) -> None:
    """Take the copy away."""
    path = path_of(environ, where)
    _remove(path)
    _remove(_next(path))


def _next(path: str | None) -> str | None:
    return path and f"{path.removesuffix('.json')}.next.json"


def _read(path: str | None) -> KeyChoice | None:
    if path is None or not os.path.lexists(path):
        return None
    with contextlib.suppress(OSError, Damaged, CacheError):
        kept = parse(private_files.read(path), path)
        return kept if kept.source != WEAKEST else None
    return None


def _write(path: str | None, choice: KeyChoice) -> bool:
    if path is None:
        return False
    with contextlib.suppress(OSError, CacheError):
        # Only our own directories are private; the one above is the user's, and is made as is usual where missing.
        os.makedirs(os.path.dirname(os.path.dirname(os.path.dirname(path))), mode=0o700, exist_ok=True)
        private_files.ensure_directory(os.path.dirname(os.path.dirname(path)))
        private_files.ensure_directory(os.path.dirname(path))
        durable_files.replace(path, choice.to_bytes())
        return True
    return False


def _remove(path: str | None) -> None:
    if path is not None and os.path.lexists(path):
        with contextlib.suppress(OSError):
            durable_files.remove(path)
