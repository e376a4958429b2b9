"""The ring that is in force in a cache.

The first process that seals something chooses its source, and writes the choice down (`lakekey.cache.keys.choice`):

1. what ``LAKEKEY_KEY_SOURCE`` names; else
2. what is configured: ``LAKEKEY_KEY``, ``LAKEKEY_KEY_FILE``, ``LAKEKEY_PASSPHRASE``, ``LAKEKEY_KMS``; else
3. the OS keyring where it works, and where it does not, a key file.

From then on the choice stands. A process that is configured otherwise, or that cannot reach the source, gets an
error; it never starts a second key, and never falls back to a weaker place. A choice that is damaged or gone is found
again by the keys that the entries name.
"""

from __future__ import annotations

import contextlib

from lakekey._imports import LOADING
from lakekey._named_tuple import NamedTuple
from lakekey.cache.keys.choice import NOTE, Damaged, KeyChoice, raw_choice
from lakekey.cache.keys.ring import NO_RING, KeyRing
from lakekey.cache.keys.sources import GIVEN, choice_of, configured, open_source, ring_of
from lakekey.errors import KeyUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lakekey.cache.keys.source import KeyPlace


def _nothing() -> frozenset[str]:
    return frozenset()


class _Found(NamedTuple):
    """What was read at one time: changed in one step, since the threads of a process share it."""

    ring: KeyRing
    raw: bytes
    chosen: bool
    foreign: str = ""


class Keys:
    """The ring of one cache, read again when it may have changed. Looking for it makes and writes nothing.

    Args:
        place: Where the cache keeps its notes, which is known to be safe.
        environ: The environment.
        moving: Whether the ring is about to be moved, or the entries, so that the environment may name another source.
            Whose key it is is asked all the same.
        sealed_under: The ids of the keys that the cache's entries name, in hexadecimal.

    Attributes:
        begun_again: How often the choice was gone and had to be made again: the store was emptied.

    Raises:
        ConfigurationError: The configured source is not one of ours, or not the one that holds this cache's key.
        KeyUnavailable: The source holds no usable key, or cannot be reached.
    """

    def __init__(
        self,
        place: KeyPlace,
        environ: Mapping[str, str],
        *,
        moving: bool = False,
        sealed_under: Callable[[], frozenset[str]] = _nothing,
    ) -> None:
        self.place = place
        self.environ = environ
        self._moving = moving
        self._sealed_under = sealed_under
        self._remembered = False
        self.begun_again = 0
        self._found = _Found(NO_RING, b"", chosen=False)
        self.look()

    @property
    def ring(self) -> KeyRing:
        """The ring as last read; `NO_RING` before anything is sealed."""
        return self._found.ring

    @property
    def chosen(self) -> bool:
        """Whether the source of the ring is written down, or need not be."""
        return self._found.chosen

    @property
    def announced(self) -> tuple[KeyRing, bytes]:
        """The ring, and the note that said, when it was read, where it is; each change of the ring changes the note.

        Both at once: another thread may read the next ring at any moment.
        """
        return self._found.ring, self._found.raw

    def current(self) -> KeyRing:
        """The ring to seal with: chosen now if it never was, read again if another process has changed it since.

        Raises:
            ConfigurationError, KeyUnavailable: As `Keys` says.
            OSError: A first key cannot be written.
        """
        found = self._found
        if not found.chosen or raw_choice(self.place) != found.raw:
            return self.read()
        return found.ring

    def require_same(self, *, also_moving: bool = False) -> None:
        """Refuse to begin a write under another key than the hosts that share this cache have; see `first_use`.

        Not once something is to be stored that may be the only copy: that is sealed under the key at hand.

        Args:
            also_moving: Also where the key is about to be moved: it is the entries that are.

        Raises:
            KeyUnavailable: This process was given another key.
        """
        found = self._found
        if found.foreign and (also_moving or not self._moving):
            held = ", ".join(name.hex() for name in found.ring.keys)
            raise KeyUnavailable(
                f"the cache in {self.place.where} is sealed under key {found.foreign}, and {found.ring.where} has "
                f"{held} only; other hosts could not open what is sealed under that",
                hint="give every host the same key; during a change, list the new key first and the old one after it. "
                f"If key {found.foreign} is lost for good, remove {self.place.note_place(NOTE)} and sign in again",
            )

    def believe(self, choice: KeyChoice) -> None:
        """Refuse a choice that contradicts what is configured, or that others may have led us to.

        Raises:
            KeyUnavailable: It is such a choice.
        """
        wanted = configured(self.environ)
        # Before what is configured is compared: the way out of a contradiction is to move the key, with all that it
        # has sealed. A key file is this user's where they ask for one.
        if self.place.shared:
            doubtful = choice.source not in GIVEN
        else:
            asked_for = wanted is not None and wanted[0] == "file"
            doubtful = choice.source == "kms" or (choice.source == "file" and not asked_for)
        if doubtful:
            with LOADING:
                from lakekey.cache.keys.confirmation import require_ours

            require_ours(self.place, self.environ, choice, moving=self._moving)
        if not self._moving:
            _agree(choice, wanted, self.place, self.environ)

    def remember(self) -> None:
        """Keep the copy of the choice outside the cache, which caches of the first releases do not have."""
        if self._remembered or self.ring.source == "file":
            return
        self._remembered = True
        with LOADING:
            from lakekey.cache.keys import anchor

        if anchor.recall(self.environ, self.place.where) is None:
            with contextlib.suppress(Damaged):
                choice = choice_of(self.place, self._found.raw)
                if choice is not None:
                    anchor.remember(self.environ, self.place.where, choice)

    def look(self) -> KeyRing:
        """The ring, read again, if there is one."""
        return self._read(choose=False)

    def read(self) -> KeyRing:
        """The ring, read again, and chosen if there is none. Raises as `current`."""
        return self._read(choose=True)

    def _read(self, *, choose: bool) -> KeyRing:
        raw = raw_choice(self.place)  # before the ring: a change in between is seen the next time
        wanted = configured(self.environ)
        try:
            choice = choice_of(self.place, raw)
        except Damaged:
            choice = None
        chosen = choice is not None
        if choice is None:
            choice = self._found_again(raw, wanted)
        try:
            if choice is not None:
                self.believe(choice)
            if choose and not chosen:
                self.begun_again += bool(self._found.raw and not raw)
                choice, chosen = self._choose(wanted, choice), True
                raw = raw_choice(self.place)
                self.believe(choice)  # another process, or another person, may have chosen meanwhile
            elif choice is None and wanted is not None and wanted[0] in GIVEN:
                choice = KeyChoice(wanted[0], f"{wanted[1]} asks for it")
            if choice is None:
                self._found = _Found(NO_RING, raw, chosen=False)
                return NO_RING
            ring = ring_of(open_source(choice, self.place, self.environ), choice.why)
        except KeyUnavailable:
            if raw_choice(self.place) == raw:
                raise
            return self._read(choose=choose)  # it was moved to another source just now
        known = {name.hex() for name in ring.keys}
        shared = self.place.shared and choice.source in GIVEN
        foreign = choice.current if shared and choice.current not in known else ""
        self._found = _Found(ring, raw, chosen, foreign)
        return ring

    def _choose(self, wanted: tuple[str, str] | None, found: KeyChoice | None) -> KeyChoice:
        with LOADING:
            from lakekey.cache.keys.first_use import choose

        try:
            return choose(self.place, self.environ, wanted, found)
        except OSError:
            if found is not None:
                return found
            if wanted is None or wanted[0] not in GIVEN:
                raise
            # Nothing can be written here, but there is nothing that has to be: the key is brought along.
            return KeyChoice(wanted[0], f"{wanted[1]} asks for it")

    def _found_again(self, raw: bytes, wanted: tuple[str, str] | None) -> KeyChoice | None:
        """The choice that is damaged, or gone while entries are there.

        Raises:
            KeyUnavailable: It is damaged, and not found.
        """
        with LOADING:
            from lakekey.cache.keys import anchor

        needed = self._sealed_under()
        if not raw and not needed and anchor.recall(self.environ, self.place.where) is None:
            return None  # nothing was ever sealed here
        with LOADING:
            from lakekey.cache.keys.recovery import find

        choice = find(self.place, self.environ, needed)
        if choice is not None and not needed and wanted is not None and wanted[0] != choice.source:
            choice = None  # there is nothing to open, and the user says where the key is to be
        if choice is None and raw:
            path = self.place.note_place(NOTE)
            with LOADING:
                from lakekey._commands import remove
            # In a store that hosts share it is a note under that name, which an administrator of the store removes.
            removal = f"nothing is sealed here, so remove it: {path if self.place.shared else remove(path)}"
            raise KeyUnavailable(
                f"{path}, which says where the key of this cache is, is damaged, and no key at hand opens the cache",
                hint=f"restore {path} from a backup" if needed else removal,
            )
        return choice


def _agree(choice: KeyChoice, wanted: tuple[str, str] | None, place: KeyPlace, environ: Mapping[str, str]) -> None:
    if wanted is None or wanted[0] == choice.source or (wanted[0] in GIVEN and choice.source in GIVEN):
        named = environ.get("LAKEKEY_KMS", "").strip()
        if choice.source == "kms" and named and named != choice.kms:
            raise KeyUnavailable(
                f"LAKEKEY_KMS names {named!r}, but the key of the cache in {place.where} is wrapped by {choice.kms!r}",
                hint="unset LAKEKEY_KMS, or move the key with: lakekey keys rotate --to kms",
            )
        return
    source, setting = wanted
    if place.shared and source != "kms":
        way = "use another store"
    elif source in GIVEN:
        way = "use another LAKEKEY_CACHE_DIR"
    else:
        way = f"move the key with: lakekey keys rotate --to {source}"
    raise KeyUnavailable(
        f"{setting} asks for the key source {source!r}, but the key of the cache in {place.where} is kept in "
        f"{choice.source!r} ({choice.why})",
        hint=f"unset {setting}, or {way}",
    )
