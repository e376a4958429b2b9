"""What a store of sealed entries must do: the file store on one machine, and the stores that hosts share.

A store keeps three things: envelopes by entry id, one lock for each of them, and a few small notes about the key. It
knows nothing of what is sealed.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from lakekey.cache.stores.findings import Finding
from lakekey.errors import StoreUnavailable


class Reading(NamedTuple):
    """An envelope as it was read.

    Attributes:
        envelope: The bytes, or ``None`` if there are none.
        now: The time in the store at that moment, in seconds since its epoch (UTC). ``None`` for a store of one
            machine, whose time is the machine's.
    """

    envelope: bytes | None
    now: float | None = None


def reply_lost(message: str) -> StoreUnavailable:
    """The error of a statement that was sent and not answered: it is not known whether it was done."""
    error = StoreUnavailable(message, hint="try again")
    error.in_doubt = True
    return error


class Store(Protocol):
    """Keeps envelopes by entry id, one lock for each, and notes.

    ``put``, ``delete`` and ``swap_note`` are compare-and-swaps on the exact bytes that they replace: an envelope's salt
    and nonce are random, so equal bytes mean the same write. Callers hold the entry's lock around read, exchange and
    write; no store may rely on it for more than sparing work, unless its lock cannot be lost (`shared`).

    Attributes:
        shared: Whether several machines use it. Then its lock is a lease, which ends by the store's clock while its
            holder may still be at work; a connection may break at any time; and times in entries are the store's.

    Each call of a shared store raises `StoreUnavailable` where it cannot be reached. That answer is neither "locked by
    another" nor "there is none".
    """

    shared: bool

    @property
    def spans_machines(self) -> bool:
        """Whether a holder that lives may lose its lock, and another machine go on.

        So it is where hosts share a store, and with files on a network file system. The kernel's lock on one machine
        ends with its holder only.
        """

    @property
    def where(self) -> str:
        """The store's place, for people: a path or an address without credentials."""

    @property
    def name(self) -> str:
        """What tells the store from all others, also where its place cannot be shown (`name_of` of its address)."""

    def prepare(self) -> None:
        """Make what is missing where that is the store's own matter, and refuse what is not safe.

        Raises:
            UnsafeCache: Others could read or change what is stored.
            CacheWriteFailed: It cannot be made.
            CacheError: It has to be set up first; the hint says how.
        """

    def read(self, entry_id: str) -> Reading:
        """The stored envelope, and the store's time. Takes no lock.

        Raises:
            CacheError: There is one that cannot or must not be read.
        """

    def get(self, entry_id: str) -> bytes | None:
        """The stored envelope, or ``None``: `read` without the time."""

    def put(self, entry_id: str, envelope: bytes, *, replaces: bytes | None, synced: bool = True) -> bool:
        """Store durably, if ``replaces`` is what is there now (``None``: nothing).

        A shared store settles a lost reply by reading back: equal bytes mean that the write was its own.

        Args:
            entry_id: Which.
            envelope: What to store.
            replaces: What has to be there.
            synced: Whether it has to outlast a loss of power. Without it a store may leave the writing to the kernel,
                for what costs only a step that is taken again; a shared store need not heed it.

        Returns:
            Whether it was stored.

        Raises:
            CacheWriteFailed: It could not be stored; what was there before still is.
            StoreUnavailable: It is not known whether it was stored. The same write may be tried again.
        """

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """Remove durably, if ``replaces`` is what is there now. Returns whether it was removed.

        Raises:
            CacheWriteFailed: It could not be removed.
        """

    def set_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        """Move a bad envelope out of the way, and nothing else that has come in its place.

        Args:
            entry_id: Which.
            envelope: The bad one; ``None``: what is there, which cannot be read. Only files can be so.

        Returns:
            Where to, or ``None`` if it is no longer there, or is being dealt with by the holder of the entry's lock.

        Raises:
            CacheWriteFailed: It cannot be moved.
        """

    def place(self, entry_id: str) -> str:
        """Where an entry is, for people."""

    def removal(self, entry_id: str) -> str:
        """The command that removes an entry which does not open."""

    def list(self, *, after: str = "", limit: int | None = None) -> list[str]:
        """The ids of the entries that are stored, in order.

        Args:
            after: Begin behind this id.
            limit: At most so many; ``None`` for all.
        """

    def together(self) -> AbstractContextManager[None]:
        """Many operations in a row, which follow each other on one connection where there are connections."""

    def lock(self, entry_id: str, *, to_write: bool = True) -> AbstractContextManager[bool]:
        """Try once to lock an entry, without waiting. There are three answers.

        The context's value is ``True`` if the lock is this caller's, and ``False`` if it is another's. The third
        answer is an error.

        Args:
            entry_id: Which.
            to_write: Whether something is to be stored under it, so that there has to be room; removing needs none.

        Raises:
            CacheWriteFailed: What would be stored under the lock could not be stored.
            StoreUnavailable: The store is away, so nothing is known of the lock.
        """

    def still_locked(self, entry_id: str) -> bool:
        """Whether the lock that this process took is still its own, as far as that is known here. Nothing is sent.

        The kernel's lock always is. A lease that could not be renewed in time is not.
        """

    def is_abandoned(self, entry_id: str) -> bool:
        """Whether the lock was another's when it was last tried, who is known to be dead since. Nothing is sent.

        The kernel's lock is free then. A lease can be taken over on its holder's own machine.
        """

    def holder(self, entry_id: str) -> str | None:
        """Who holds the entry's lock, for people (``process 4711``, ``host a, process 4711``), where known."""

    # -- notes: what the key ring and its choice are kept in (`lakekey.cache.keys.source.KeyPlace`) --------------------

    def read_note(self, name: str) -> bytes | None:
        """A note, or ``None``. Raises `OSError` where it cannot be read, `UnsafeCache` where it must not be."""

    def write_note(self, name: str, content: bytes) -> None:
        """Put a note in place of whatever is there, durably. Raises `OSError` where it cannot be written."""

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """Put a note in place of ``replaces`` (``None``: nothing), durably. Returns whether that is what was there.

        Of many hosts that start together, one makes the first note; the others read it.
        """

    def remove_note(self, name: str) -> None:
        """Remove a note durably; one that is not there is removed already."""

    def note_place(self, name: str) -> str:
        """Where a note is, for people."""

    def changing_key(self) -> AbstractContextManager[None]:
        """One process at a time changes where a cache's key is, or which it is.

        In a shared store this is a lease too, so that what is decided under it has to be written by `swap_note`.

        Raises:
            LockTimeout: Another is at it for too long.
            OSError: The lock cannot be made.
        """

    # -- for administrators (`lakekey store`) --------------------------------------------------------------------------

    def schema(self) -> str:
        """What an administrator has to run to set the store up, as text; empty where nothing has to be."""

    def set_up(self) -> None:
        """Make what the store needs, where it is missing.

        Raises:
            CacheError: That is not allowed to this user.
        """

    def examine(self) -> Iterator[Finding]:
        """Look at what the store promises and needs: reach, rights, durability, clock, encryption."""


class Note(NamedTuple):
    """A note that has to be there, as it was read.

    Attributes:
        name: Which.
        content: What it says.
    """

    name: str
    content: bytes


class SharedStore(Store, Protocol):
    """A store that hosts share: it may hold a hundred thousand entries, and each question travels."""

    def put(
        self, entry_id: str, envelope: bytes, *, replaces: bytes | None, synced: bool = True, under: Note | None = None
    ) -> bool:
        """See `Store.put`.

        Args:
            entry_id: Which.
            envelope: What to store.
            replaces: What has to be there.
            synced: Nothing here: what a shared store has confirmed is as durable as it gets.
            under: A note that must not have changed, which is judged in the same step: what was sealed under a key that
                was rotated out meanwhile is not stored.
        """

    def read_page(self, *, after: str, limit: int) -> Sequence[tuple[str, Reading]]:
        """Entries in order, with their envelopes, in one or two questions.

        Args:
            after: Begin behind this id; ``""`` for the first.
            limit: At most so many. Fewer than that are the last ones.
        """

    def swap_page(self, swaps: Sequence[tuple[str, bytes, bytes]], *, under: Note | None = None) -> set[str]:
        """Many compare-and-swaps in one step, of entries that no holder of a lease is at work on.

        A holder that takes the lease at the same time finds that the bytes which it has read are no longer there, as
        after any other write, and looks again.

        Args:
            swaps: Ids, what each replaces, and the new envelope.
            under: As for `put`.

        Returns:
            The ids of the entries that have the new envelope now. All others are as they were, or another's.
        """
