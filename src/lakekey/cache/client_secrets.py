"""Client secrets of OAuth apps and service principals, sealed in the cache instead of in clear in ``.databrickscfg``.

Each is an entry of its own kind, which holds nothing else, and is sealed, rotated and listed like any other.
"""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakekey._imports import LOADING, expanded
from lakekey.cache.cache import Cache
from lakekey.cache.entry import CLIENT_SECRET, Entry, entry_id
from lakekey.cache.opening import cache_directory, is_shared, open_cache
from lakekey.cache.refusals import Refusals
from lakekey.cache.stores.file import FileStore
from lakekey.errors import with_home

if TYPE_CHECKING:
    from lakekey.cache.near import NearCopies

_PATIENCE = 10.0


def secret_id(host: str, account_id: str | None, client_id: str) -> str:
    """The name of the entry that keeps a client's secret."""
    return entry_id({"kind": CLIENT_SECRET, "host": host, "account": account_id, "client": client_id})


def is_secret(entry: Entry) -> bool:
    """Whether an entry keeps a client secret and no session."""
    return entry.kind == CLIENT_SECRET


def find_secret(
    environ: Mapping[str, str], place: str | None, host: str, account_id: str | None, client_id: str
) -> str | None:
    """The sealed secret of a client, or ``None``. Makes no cache if there is none.

    Raises:
        CacheError: There is one, and it cannot be opened.
    """
    name = secret_id(host, account_id, client_id)
    shared = (place or environ.get("LAKEKEY_STORE", "")).strip()
    if not is_shared(shared):
        entry = sealed_entry(environ, place, name)
        return entry.client_secret or None if entry is not None else None
    # Asked with every start: that a shared store has none is kept near, so that no driver is loaded to hear it again.
    near = _near(environ, shared)
    if near.lacks(name):
        return None
    entry = sealed_entry(environ, place, name)
    if entry is None:
        near.keep_absence(name)
    return entry.client_secret or None if entry is not None else None


def sealed_entry(environ: Mapping[str, str], place: str | None, name: str) -> Entry | None:
    """An entry that configuration is read from, or ``None``. Makes no cache if there is none.

    Raises:
        CacheError: There is one, and it cannot be opened.
    """
    place = place or environ.get("LAKEKEY_STORE", "").strip()
    if not place or place.startswith("file:"):
        # Asked on the way of every start with a custom app: one look at one file, and no key is read.
        directory = with_home(expanded(place.removeprefix("file:")), "LAKEKEY_STORE") or cache_directory(environ)
        if not os.path.lexists(FileStore(os.path.abspath(directory)).place(name)):
            return None
    return open_cache(environ, place=place).get(name)


def put_secret(cache: Cache, host: str, account_id: str | None, client_id: str, secret: str) -> None:
    """Seal a client's secret, in place of an earlier one.

    Raises:
        CacheError: It could not be stored.
    """
    name = secret_id(host, account_id, client_id)
    about = {"kind": CLIENT_SECRET, "host": host, "account_id": account_id, "client_id": client_id}
    entry = Entry(about, issued_at=time.time(), client_secret=secret)
    refusals = Refusals(cache.store, "took none of the writes of a client secret", patience=_PATIENCE)
    while True:
        with cache.locked(name, patience=_PATIENCE) as stored:
            if cache.put(name, entry, replaces=stored.envelope, durable=True) is not None:
                break
        refusals.wait()
    if cache.store.shared:
        _near(os.environ, cache.store.name).forget(name)


def remove_secret(cache: Cache, host: str, account_id: str | None, client_id: str) -> bool:
    """Forget a client's secret. Returns whether there was one.

    Raises:
        CacheError: It is still there.
    """
    name = secret_id(host, account_id, client_id)
    refusals = Refusals(cache.store, "took none of the removals of a client secret", patience=_PATIENCE)
    while True:
        with cache.locked(name, patience=_PATIENCE, to_write=False) as stored:
            removed = cache.delete(name, replaces=stored.envelope)
            if removed or stored.envelope is None:
                return removed
        refusals.wait()


def _near(environ: Mapping[str, str], place: str) -> "NearCopies":
    with LOADING:
        from lakekey.cache.near import NearCopies

    return NearCopies(environ, cache_directory(environ), place)
