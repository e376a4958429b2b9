"""Key rings in files: the cache's own key file, and secrets that are mounted."""

from __future__ import annotations

import os

from lakekey._imports import LOADING, expanded
from lakekey.cache import private_files
from lakekey.errors import KeyUnavailable, with_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace

NOTE = "master.key"
_HEADER = "# The master key of the lakekey token cache. Anyone who can read it can read the tokens beside it.\n"


class KeyFile:
    """The cache's own key file, ``master.key`` (0600).

    Args:
        place: Where the cache keeps its notes.
    """

    name = "file"

    def __init__(self, place: KeyPlace) -> None:
        self._place = place
        self.where = place.note_place(NOTE)

    def read(self) -> str | None:
        """See `KeySource.read`."""
        try:
            content = self._place.read_note(NOTE)
        except OSError as error:
            raise _unreadable(self.where, error) from None
        return content.decode(errors="replace") if content is not None else None

    def write(self, text: str) -> None:
        """See `OwnKeySource.write`."""
        self._place.write_note(NOTE, (_HEADER + text).encode())

    def erase(self) -> None:
        """See `OwnKeySource.erase`."""
        self._place.remove_note(NOTE)

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        with LOADING:
            from lakekey._commands import move_away

        return KeyUnavailable(
            f"the key file {self.where} is gone",
            hint="restore it from a backup; if it is lost for good, so are the sessions: move them away and sign in "
            f"again: {move_away(os.path.dirname(self.where))}",
        )


class MountedFile:
    """A file that ``LAKEKEY_KEY_FILE`` names: a Kubernetes or Docker secret, or a file of one's own.

    Mounted secrets are reached through links that root owns, and are readable by all (mode 0444 or 0644) in a
    container that has one user. A file of our own has to be as private as the cache's.

    Args:
        path: The file.
    """

    name = "mounted"

    def __init__(self, path: str) -> None:
        self.where = os.path.abspath(with_home(expanded(path), "LAKEKEY_KEY_FILE"))

    def read(self) -> str | None:
        """See `KeySource.read`."""
        try:
            return private_files.read_given(self.where).decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.where, error) from None

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return KeyUnavailable(f"there is no key file {self.where}", hint="check LAKEKEY_KEY_FILE")


def _unreadable(path: str, error: OSError) -> KeyUnavailable:
    reason = error.strerror or type(error).__name__
    return KeyUnavailable(f"the key file {path} cannot be read: {reason}", hint=private_files.remedy(path, error))
