"""What a cache remembers about its own key: where it is, and why there. No secret is in it.

The first process that uses a cache decides, and writes the decision down in ``cache.json``. Every later one follows
it: a keyring that is locked for a moment does not start a second key, and the keyring's backend is loaded by the name
that is written here, since looking for it costs more than everything else together. Every change of the ring changes
this file last, so that comparing its bytes tells a running process whether to read the ring again.
"""

import json
import os
from typing import NamedTuple

from lakekey._imports import LOADING
from lakekey.cache import private_files
from lakekey.errors import KeyUnavailable

_FORMAT = 1
_NAME = "cache.json"


class Pin(NamedTuple):
    """The decision.

    Attributes:
        source: ``keyring``, ``file``, ``env``, ``mounted``, ``passphrase`` or ``kms``.
        why: Why that one, in words.
        since: When it was decided, as an ISO 8601 time in UTC.
        current: The id of the key that seals, in hexadecimal.
        backend: For ``keyring``: the backend, as ``module:class``.
        item: For ``keyring``: the name of the item that holds the ring.
        kms: For ``kms``: the entry point's name.
        rotations: How often the ring was changed.
    """

    source: str
    why: str
    since: str = ""
    current: str = ""
    backend: str = ""
    item: str = ""
    kms: str = ""
    rotations: int = 0

    def to_bytes(self) -> bytes:
        """The content of ``cache.json``; fields that say nothing are left out."""
        said = {name: value for name, value in self._asdict().items() if value}
        return json.dumps({"format": _FORMAT, **said}, indent=1).encode() + b"\n"


def path_in(directory: str) -> str:
    """Where a cache keeps its decision."""
    return os.path.join(directory, _NAME)


def stamp(directory: str) -> bytes:
    """The bytes of ``cache.json``; none where there is none yet."""
    try:
        return private_files.read(path_in(directory))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(path_in(directory), error) from None


def parse(content: bytes, directory: str) -> Pin:
    """Read the decision.

    Raises:
        KeyUnavailable: It is damaged, or of a later release.
    """
    try:
        fields = json.loads(content)
        if fields.pop("format") != _FORMAT:
            raise _unusable(path_in(directory), "a later release of lakekey wrote it")
        known = {name: fields[name] for name in Pin._fields if name in fields}
        right = all(isinstance(known[name], type(default)) for name, default in _KINDS.items() if name in known)
        if right and {"source", "why"} <= known.keys():
            return Pin(**known)
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    raise _unusable(path_in(directory), "it is damaged")


_KINDS = {**dict.fromkeys(Pin._fields, ""), "rotations": 0}


def write(directory: str, pin: Pin) -> None:
    """Write the decision down, durably.

    Raises:
        OSError: It cannot be written.
    """
    private_files.replace(path_in(directory), pin.to_bytes())


def now() -> str:
    """This moment, as `Pin.since` has it."""
    with LOADING:
        from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _unreadable(path: str, error: OSError) -> KeyUnavailable:
    return KeyUnavailable(
        f"{path}, which says where the key of this cache is, cannot be read: {error.strerror or type(error).__name__}",
        hint=private_files.remedy(path, error),
    )


def _unusable(path: str, reason: str) -> KeyUnavailable:
    directory = os.path.dirname(path)
    return KeyUnavailable(
        f"{path}, which says where the key of this cache is, cannot be used: {reason}",
        hint=f"bring it back from a backup, or begin anew: mv {directory} {directory}.old",
    )
