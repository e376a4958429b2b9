"""Entries that could not be written, kept in this process: a full or read-only disk costs no caller a token.

Such an entry stands in for what was stored when it was made. As soon as another process has stored something else,
or this one can store again, it is forgotten.
"""

from __future__ import annotations

import contextlib
import os
import time

from lakekey import _log
from lakekey.cache.entry import Entry, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakekey.errors import CacheError

# Store and entry → what is held, and the envelope beside which it stands.
_entries: dict[tuple[str, str], tuple[Entry, bytes | None]] = {}
_NOTHING = (None, None)
_reported: set[str] = set()
_locked: set[str] = set()


def without_refresh_token(entry: Entry) -> Entry:
    """What a forked child may have of an entry that is in its parent's memory only: all but what can be spent once.

    Parent and child have no lock in common. Each would send the same refresh token, and a server that notices its
    reuse ends the session for both (RFC 9700 §4.14.2).
    """
    if not entry.refresh_token or entry.rotates is False:
        return entry
    whose = "the session is in the memory of the process that forked this one, which alone may renew it"
    return entry._replace(refresh_token="", refused=Failure("login_required", whose, time.time()))


def _after_fork() -> None:
    _locked.clear()  # the threads that held them stayed behind
    for place, (entry, replaced) in _entries.items():
        _entries[place] = without_refresh_token(entry), replaced


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def get(where: str, entry_id: str, envelope: bytes | None) -> Entry | None:
    """What this process holds in place of a stored envelope, if that is still the one that was there."""
    if not _entries:
        return None
    entry, replaced = _entries.get((where, entry_id), _NOTHING)
    if entry is not None and replaced != envelope:
        forget(where, entry_id)
        return None
    return entry


def peek(where: str, entry_id: str, envelope: bytes | None) -> Entry | None:
    """The same, without dropping what stands beside another envelope."""
    entry, replaced = _entries.get((where, entry_id), _NOTHING)
    return entry if replaced == envelope else None


def latest(where: str, entry_id: str) -> Entry | None:
    """What this process holds, where it cannot be told what is stored."""
    return _entries.get((where, entry_id), _NOTHING)[0]


def holds(where: str, entry_id: str) -> bool:
    """Whether this process holds an entry that is not stored."""
    return (where, entry_id) in _entries


def hold(where: str, entry_id: str, entry: Entry, *, replacing: bytes | None, error: CacheError) -> None:
    """Hold an entry that could not be stored, and say so, once for each store.

    Args:
        where: The store.
        entry_id: The entry's id.
        entry: The entry.
        replacing: The envelope that is stored under that id, or ``None``.
        error: Why it could not be stored.
    """
    _entries[where, entry_id] = entry, replacing
    report(where, entry_id, error)


def report(where: str, entry_id: str, error: CacheError) -> None:
    """Say once for each store that this process goes on in memory.

    Args:
        where: The store.
        entry_id: The entry that it was noticed with.
        error: What is wrong with the store.
    """
    if where not in _reported:
        _reported.add(where)
        _log.warning(
            "cache", "%s; new tokens are kept in the memory of this process only (%s), entry %s", error.message,
            error.hint, entry_id[:12],
        )  # fmt: skip


def forget(where: str, entry_id: str) -> None:
    """Drop what is held; what is stored counts again."""
    _entries.pop((where, entry_id), None)


@contextlib.contextmanager
def lock(entry_id: str) -> Iterator[bool]:
    """Try once to lock an entry among the threads of this process."""
    free = entry_id not in _locked
    if free:
        _locked.add(entry_id)  # the interpreter adds to a set in one step; a lost race costs a request, no session
    try:
        yield free
    finally:
        if free:
            _locked.discard(entry_id)
