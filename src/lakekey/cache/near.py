"""The near copy: what a host keeps of an entry that lies in a store which hosts share.

A database driver costs a new process several times as much as the rest of a warm start. So each host keeps a sealed
copy of the access token in files of its own, never of the refresh token, and a new process that finds one loads no
driver. A copy that was not compared with the store for `CHECKED` seconds is not enough: that is how long a sign-out on
another host may take to reach this one. Where the store is away, a copy serves for as long as its token lives.

The copy also says which generation this host has seen, and stays when its token has expired. A store that has an older
one went back in time: it failed over, or was restored from a backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time

from lakekey._imports import expanded
from lakekey._named_tuple import NamedTuple
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.keys.in_force import Keys
from lakekey.cache.keys.sources import GIVEN, configured, open_source, ring_of
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.places import name_of
from lakekey.errors import KeyUnavailable, LakekeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakekey.cache.keys.ring import KeyRing

CHECKED = 300.0  # seconds
_AGAIN = 60.0  # seconds after which a comparison with the store is noted again
_KEPT = 30 * 86400.0  # seconds that a copy is kept which is not written again
_NOTE = "near"  # of the entry's description
_ABSENT = "absent"
_LINE = ".line"


class Copy(NamedTuple):
    """A near copy.

    Attributes:
        entry: The entry without its refresh token.
        checked_at: When it was last compared with the store, in epoch seconds (UTC).
        token: The digest of the refresh token that belongs to it, or ``""``.
    """

    entry: Entry
    checked_at: float
    token: str

    @property
    def age(self) -> float:
        """Seconds since it was last compared with the store."""
        return time.time() - self.checked_at


class NearCopies:
    """The near copies of a host, of one store.

    Args:
        environ: The environment, for ``LAKEKEY_CACHE_DIR`` and a key that is given.
        directory: The host's own cache directory; ``""`` if it has none.
        place: The store's address, or its name (`lakekey.cache.stores.store.Store.name`).
        checked: Seconds for which a copy that was compared with the store is enough.

    Attributes:
        checked: As given.
    """

    def __init__(self, environ: Mapping[str, str], directory: str, place: str, *, checked: float = CHECKED) -> None:
        self.checked = checked
        self._environ = environ
        self._directory = directory
        self._store = name_of(place)
        self._cache: Cache | None = None

    def get(self, entry_id: str) -> Copy | None:
        """The copy of an entry, or ``None``. What is wrong with it is not a reason to fail: the store has the entry."""
        try:
            kept = self._open().get(self._name(entry_id)) if self._directory else None
            note = kept.about[_NOTE] if kept is not None else None
            if kept is None or note is None:
                return None
            entry = kept._replace(generation=int(note["generation"]))
            return Copy(entry, float(note["checked"]), str(note["token"]))
        except KeyUnavailable:
            self._cache = None  # the key may be another by now, in a file that is mounted: it is read again
            return None
        except (LakekeyError, OSError, KeyError, TypeError, ValueError):
            return None

    def is_recent(self, copy: Copy) -> bool:
        """Whether a copy was compared with the store a short time ago."""
        return 0 <= copy.age < self.checked

    def keep(self, entry_id: str, entry: Entry, token: str) -> None:
        """Keep what the store has said of an entry; nothing is written where that is known.

        Args:
            entry_id: Which.
            entry: As it is in the store, in this machine's time.
            token: The digest of its refresh token, or ``""``.
        """
        if not self._directory:
            return
        now = time.time()
        before = self.get(entry_id)
        if before is not None and before.entry.generation == entry.generation and now - before.checked_at < _AGAIN:
            return
        if before is not None and before.entry.generation > entry.generation:
            return  # what is known to be old does not take the place of what is newer
        about = {**entry.about, _NOTE: {"checked": now, "token": token, "generation": entry.generation}}
        copy = entry._replace(about=about, refresh_token="", spending=None, failure=None, client_secret="")
        self._put(entry_id, copy)

    def drop(self, entry_id: str) -> None:
        """Forget the token, since the session was signed out of. The generation stays."""
        before = self.get(entry_id)
        if before is not None and before.entry.access_token:
            self._put(entry_id, before.entry._replace(access_token=""))

    def lacks(self, entry_id: str) -> bool:
        """Whether the store had no such entry a short time ago."""
        copy = self.get(entry_id)
        return copy is not None and self.is_recent(copy) and _ABSENT in copy.entry.about

    def keep_absence(self, entry_id: str) -> None:
        """Keep that the store has no such entry."""
        self.keep(entry_id, Entry({_ABSENT: True}), "")

    def forget(self, entry_id: str) -> None:
        """Remove the copy, and what was seen."""
        if not self._directory:
            return
        with contextlib.suppress(LakekeyError, OSError):
            cache = self._open()
            name = self._name(entry_id)
            envelope = cache.store.get(name)
            if envelope is not None:
                cache.store.delete(name, replaces=envelope)
            os.unlink(self._line(entry_id))

    def line(self, entry_id: str) -> str | None:
        """The file by which the processes of this host line up before they ask for an entry, if there can be one."""
        if not self._directory:
            return None
        try:
            store = self._open().store
            store.prepare()
        except (LakekeyError, OSError):
            return None
        return self._line(entry_id)

    def _line(self, entry_id: str) -> str:
        return os.path.join(self._open().store.where, "entries", self._name(entry_id) + _LINE)

    def _put(self, entry_id: str, copy: Entry) -> None:
        name = self._name(entry_id)
        try:
            cache = self._open()
            # No lock: of two copies of the same entry, either will do.
            cache.put(name, copy, replaces=cache.store.get(name))
        except (LakekeyError, OSError):
            return  # a host that can keep no copy asks the store each time
        if os.urandom(1)[0] == 0:
            self._sweep()

    def _sweep(self) -> None:
        """Remove copies that have not been written for a month: a host that serves many people outlives most."""
        directory = os.path.join(self._open().store.where, "entries")
        until = time.time() - _KEPT
        with contextlib.suppress(OSError), os.scandir(directory) as files:
            for file in files:
                if file.name.endswith((".entry", _LINE)) and file.stat(follow_symlinks=False).st_mtime < until:
                    os.unlink(file.path)

    def _open(self) -> Cache:
        if self._cache is None:
            store = FileStore(os.path.join(os.path.abspath(expanded(self._directory)), "near"))
            store.check()
            self._cache = Cache(store, _keys(store, self._environ))
        return self._cache

    def _name(self, entry_id: str) -> str:
        return hashlib.sha256(f"lakekey near\0{self._store}\0{entry_id}".encode()).hexdigest()


def _keys(store: FileStore, environ: Mapping[str, str]) -> KeyRing | Keys:
    """The copies' key: one that is given, as it is; else a key file of this host.

    One that is given needs no note of where it is. To write that note, the first copy of a host would load the lock's
    library, a quarter of what the database driver costs. A key management service would have to be asked by every new
    process, and a keyring is slow to open.
    """
    wanted = configured(environ)
    if wanted is not None and wanted[0] in GIVEN:
        return ring_of(open_source(KeyChoice(wanted[0], ""), store, environ))
    named = ("LAKEKEY_KEY_SOURCE", "LAKEKEY_KEY", "LAKEKEY_KEY_FILE", "LAKEKEY_PASSPHRASE", "LAKEKEY_KMS")
    return Keys(
        store, {**{name: value for name, value in environ.items() if name not in named}, "LAKEKEY_KEY_SOURCE": "file"}
    )
