"""Key rings in files: the cache's own key file, and secrets that somebody else mounts."""

import os

from lakekey.cache import private_files
from lakekey.errors import KeyUnavailable

_HEADER = "# The master key of the lakekey token cache. Whoever reads it can read the tokens beside it.\n"


class KeyFile:
    """The cache's own key file, ``master.key`` (0600).

    Args:
        directory: The cache directory.
    """

    name = "file"

    def __init__(self, directory: str) -> None:
        self.where = path_in(directory)

    def read(self) -> str | None:
        """See `KeySource.read`."""
        try:
            return private_files.read(self.where).decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.where, error) from None

    def write(self, text: str) -> None:
        """See `KeySource.write`."""
        private_files.replace(self.where, (_HEADER + text).encode())

    def erase(self) -> None:
        """See `KeySource.erase`."""
        private_files.remove(self.where)

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        directory = os.path.dirname(self.where)
        return KeyUnavailable(
            f"the key file {self.where} is gone",
            hint=f"bring it back from a backup, or begin anew: mv {directory} {directory}.old",
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
        self.where = os.path.abspath(os.path.expanduser(path))

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


def path_in(directory: str) -> str:
    """Where a cache keeps its own key file."""
    return os.path.join(directory, "master.key")


def _unreadable(path: str, error: OSError) -> KeyUnavailable:
    reason = error.strerror or type(error).__name__
    return KeyUnavailable(f"the key file {path} cannot be read: {reason}", hint=private_files.remedy(path, error))
