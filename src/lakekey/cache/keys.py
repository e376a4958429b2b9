"""Master keys: the ring, and where it comes from.

A ring maps key ids to 32-byte keys; one is current and seals, all of them open. Its text form is the same in the key
file, in the environment and in a mounted secret: keys in URL-safe base64, separated by white space, the current one
first; what follows a ``#`` on a line is a comment. An id is a digest of its key, so the text needs none.
"""

import binascii
import hashlib
import os
from collections.abc import Mapping
from typing import NamedTuple

from lakekey.cache import private_files
from lakekey.errors import ConfigurationError, KeyUnavailable

KEY_BYTES = 32
KEY_ID_BYTES = 8


class KeyRing(NamedTuple):
    """The master keys that are at hand.

    Attributes:
        keys: Key ids (8 bytes) to keys (32 bytes).
        current: The id of the key that seals.
        source: Which kind of source holds them: ``file`` or ``env``.
        where: The file's path, or the variable's name.
    """

    keys: Mapping[bytes, bytes]
    current: bytes
    source: str
    where: str

    def __repr__(self) -> str:
        ids = ", ".join(sorted(key_id.hex() for key_id in self.keys))
        return f"KeyRing({ids}; current {self.current.hex()}; from {self.source} {self.where})"


def key_id(key: bytes) -> bytes:
    """The id of a master key: a digest, from which nothing about the key can be learnt."""
    return hashlib.sha256(b"lakekey key id" + key).digest()[:KEY_ID_BYTES]


def load_ring(cache_dir: str, environ: Mapping[str, str], *, create: bool) -> KeyRing:
    """Find the master keys.

    The first of these that is configured is the one in force, and is never replaced by another: ``LAKEKEY_KEY``,
    ``LAKEKEY_KEY_FILE``, and otherwise ``master.key`` in the cache directory, made on first use.

    Args:
        cache_dir: The cache directory, which is known to be safe.
        environ: The environment.
        create: Whether to make the cache's own key file where there is none yet.

    Returns:
        The ring.

    Raises:
        ConfigurationError: ``LAKEKEY_KEY_SOURCE`` names something else than is configured.
        KeyUnavailable: The configured source holds no usable key.
    """
    source = environ.get("LAKEKEY_KEY_SOURCE", "").strip()
    in_variable = environ.get("LAKEKEY_KEY", "").strip()
    in_file = environ.get("LAKEKEY_KEY_FILE", "").strip()
    if source not in ("", "env", "file"):
        raise ConfigurationError(
            f"LAKEKEY_KEY_SOURCE is {source!r}, which is none of the key sources of this release",
            hint="set it to file or env",
        )
    if source == "env" or (not source and in_variable):
        if not in_variable:
            raise KeyUnavailable(
                "LAKEKEY_KEY_SOURCE is env, but LAKEKEY_KEY is not set", hint="set LAKEKEY_KEY to a base64 key"
            )
        return parse_ring(in_variable, source="env", where="LAKEKEY_KEY")
    if in_file:
        return _read_key_file(os.path.expanduser(in_file))
    path = os.path.join(cache_dir, "master.key")
    if create and not os.path.lexists(path):
        _make_key_file(path)
    return _read_key_file(path)


def parse_ring(text: str, *, source: str, where: str) -> KeyRing:
    """Read the text form of a ring.

    Raises:
        KeyUnavailable: It holds no key, or something that is no key. The text itself is never quoted.
    """
    words = [word for line in text.splitlines() for word in line.split("#", 1)[0].split()]
    keys: dict[bytes, bytes] = {}
    for word in words:
        key = _decode(word)
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(
                f"{where} holds something that is not a base64 key of {KEY_BYTES} bytes",
                hint="make a key with: openssl rand -base64 32",
            )
        keys[key_id(key)] = key
    if not keys:
        raise KeyUnavailable(f"{where} holds no key", hint="make a key with: openssl rand -base64 32")
    return KeyRing(keys, next(iter(keys)), source, where)


def _decode(word: str) -> bytes:
    # Both base64 alphabets: `openssl rand -base64` writes the standard one.
    standard = word.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except binascii.Error:
        return b""


def _read_key_file(path: str) -> KeyRing:
    try:
        text = private_files.read(path)
    except FileNotFoundError:
        raise KeyUnavailable(f"there is no key file {path}", hint="check LAKEKEY_KEY_FILE") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise KeyUnavailable(f"the key file {path} cannot be read: {reason}", hint=f"ls -l {path}") from None
    return parse_ring(text.decode(errors="replace"), source="file", where=path)


def _make_key_file(path: str) -> None:
    key = binascii.b2a_base64(os.urandom(KEY_BYTES), newline=False)
    text = b"# The master key of the lakekey token cache. Whoever reads it can read the tokens beside it.\n" + key
    private_files.create(path, text + b"\n")
