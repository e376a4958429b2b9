"""A key ring under a passphrase: ``LAKEKEY_PASSPHRASE``.

The ring is random, as everywhere; the passphrase only wraps it, in ``passphrase.ring`` beside the cache, so that a
wrong passphrase is known as one, and a new one does not touch a single entry. The wrapping key is
scrypt(passphrase, random salt) with N = 2^15, r = 8, p = 3: one of the settings of the OWASP password storage sheet,
and the one that asks least memory (32 MiB) of many processes that start at once. The file names its parameters, so
later releases may raise them.
"""

import binascii
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lakekey import _json
from lakekey._imports import LOADING
from lakekey.cache.keys.choice import UPGRADE
from lakekey.cache.private_files import remedy
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace

NOTE = "passphrase.ring"
VARIABLE = "LAKEKEY_PASSPHRASE"
_N, _R, _P = 2**15, 8, 3
_MOST_MEMORY = 2**30  # of 128 · N · r bytes: a file that asks for more was not written by us
_SHORTEST = 8
_CONTEXT = b"lakekey ring v1 passphrase"


class PassphraseRing:
    """The ring that a passphrase opens.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment.
    """

    name = "passphrase"

    def __init__(self, place: "KeyPlace", environ: Mapping[str, str]) -> None:
        self._place = place
        self.where = place.note_place(NOTE)
        self._passphrase = environ.get(VARIABLE, "")

    def read(self) -> str | None:
        """See `KeySource.read`."""
        try:
            content = self._place.read_note(NOTE)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise KeyUnavailable(
                f"the key ring {self.where} cannot be read: {reason}", hint=remedy(self.where, error)
            ) from None
        if content is None:
            return None
        self._require()
        return _unwrap(content, self._passphrase, self.where)

    def write(self, text: str) -> None:
        """See `OwnKeySource.write`."""
        self._require()
        if len(self._passphrase) < _SHORTEST:
            raise ConfigurationError(
                f"{VARIABLE} is shorter than {_SHORTEST} characters, which anyone with the file can guess",
                hint=f"set {VARIABLE} to several random words",
            )
        self._place.write_note(NOTE, _wrap(text, self._passphrase))

    def erase(self) -> None:
        """See `OwnKeySource.erase`."""
        self._place.remove_note(NOTE)

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return _unusable(self.where, "it is gone")

    def _require(self) -> None:
        if not self._passphrase:
            raise KeyUnavailable(
                f"the key of this cache is under a passphrase, but {VARIABLE} is not set",
                hint=f"set {VARIABLE} to the passphrase of this cache",
            )


def _wrap(text: str, passphrase: str) -> bytes:
    with LOADING:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = os.urandom(16), os.urandom(12)
    key = _derive(passphrase, salt, _N, _R, _P)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _CONTEXT)
    fields: dict[str, Any] = {"format": 1, "kdf": "scrypt", "n": _N, "r": _R, "p": _P}
    fields |= {"salt": _base64(salt), "nonce": _base64(nonce), "sealed": _base64(sealed)}
    return json.dumps(fields, indent=1).encode() + b"\n"


def _unwrap(content: bytes, passphrase: str, where: str) -> str:
    with LOADING:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        fields = _json.loads(content)
        if (fields["format"], fields["kdf"]) != (1, "scrypt"):
            raise KeyUnavailable(f"the key ring {where} was written by a later release of lakekey", hint=UPGRADE)
        n, r, p = (int(fields[name]) for name in ("n", "r", "p"))
        salt, nonce, sealed = (binascii.a2b_base64(fields[name]) for name in ("salt", "nonce", "sealed"))
        if 128 * n * r > _MOST_MEMORY or not 0 < p <= 16:
            raise _unusable(where, "it asks for more work than any release of lakekey does")
        key = _derive(passphrase, salt, n, r, p)
        return AESGCM(key).decrypt(nonce, sealed, _CONTEXT).decode()
    except InvalidTag:
        reason = f"{VARIABLE} is not the passphrase of this cache"
    except (ValueError, KeyError, TypeError):
        raise _unusable(where, "it is damaged") from None
    raise KeyUnavailable(reason, hint=f"set {VARIABLE} to the one that {where} was made with")


def _derive(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with LOADING:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _unusable(path: str, reason: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"the key ring {path} cannot be used: {reason}",
        hint="restore it from a backup, or start over with another LAKEKEY_CACHE_DIR",
    )
