"""What a key source must do, and what the place must do in which a cache keeps its key's choice."""

from contextlib import AbstractContextManager
from typing import Protocol

from lakekey.errors import KeyUnavailable


class KeySource(Protocol):
    """A place that holds a ring's text form.

    Attributes:
        name: Which kind it is: ``keyring``, ``file``, ``mounted``, ``env``, ``passphrase``, ``kms``.
        where: The place, for people.
    """

    name: str
    where: str

    def read(self) -> str | None:
        """The text, or ``None`` if there is none. Raises `KeyUnavailable` where that cannot be told."""

    def lost(self) -> KeyUnavailable:
        """The error for a ring that should be there and is not."""


class OwnKeySource(KeySource, Protocol):
    """A place that we write to ourselves."""

    def write(self, text: str) -> None:
        """Put the text in place of what is there, durably."""

    def erase(self) -> None:
        """Remove it."""


class KeyPlace(Protocol):
    """Keeps, beside the entries of a cache, the choice of its key source, and rings that are wrapped or unwrapped.

    A store of entries is one. Notes are small and have fixed names: ``cache.json``, ``master.key``, ….

    Attributes:
        shared: Whether several hosts use it. Then a key must not be one host's own (`lakekey.cache.keys.sources`), and
            what is decided under `changing_key`, which is a lease, is written by `swap_note`.
    """

    shared: bool

    @property
    def where(self) -> str:
        """The place, for people: a path or an address without credentials."""

    def read_note(self, name: str) -> bytes | None:
        """A note, or ``None``. Raises `OSError` where it cannot be read, `UnsafeCache` where it must not be."""

    def write_note(self, name: str, content: bytes) -> None:
        """Put a note in place of what is there, durably. Raises `OSError` where it cannot be written."""

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """Put a note in place of ``replaces`` (``None``: nothing), durably. Returns whether that is what was there."""

    def remove_note(self, name: str) -> None:
        """Remove a note durably; one that is not there is removed already."""

    def note_place(self, name: str) -> str:
        """Where a note is, for people."""

    def changing_key(self) -> AbstractContextManager[None]:
        """One process at a time changes where a cache's key is, or which it is.

        Raises:
            LockTimeout: Another is at it for too long.
            OSError: The lock cannot be made.
        """
