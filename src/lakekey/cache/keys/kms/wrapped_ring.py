"""A key ring wrapped by a key management service.

The ring is random, as everywhere. A random 32-byte key seals it, and the service wraps that key alone, so that any
service can, whatever the ring's size. The wrapped key and the sealed ring lie in one note, ``kms.ring``, where the
cache keeps its notes. Both are bound to the cache's id, which ``cache.json`` has: another cache's ring does not open.

Each process asks the service once for each wrapped key, and never for an entry. What a process has unwrapped, its
forked children have too.
"""

import hashlib
import os
import time
from _thread import RLock
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lakekey._imports import LOADING
from lakekey._inside_work import as_work
from lakekey.cache.keys.choice import UPGRADE, ChangedElsewhere
from lakekey.cache.keys.kms import bounded
from lakekey.cache.keys.kms.ring_note import FORMAT, Record, is_newer, records_in, to_bytes
from lakekey.cache.keys.kms.service import KeyService, KmsTrouble
from lakekey.cache.keys.kms.services import open_service
from lakekey.cache.private_files import remedy
from lakekey.errors import KeyUnavailable

if TYPE_CHECKING:
    from lakekey.cache.keys.source import KeyPlace

NOTE = "kms.ring"
_KEY = 32
_NONCE = 12
_MOST_OTHERS = 8
_PAUSE = 5.0  # seconds
_HINT = "check that service, and this machine's access to its key"
T = TypeVar("T")


class _Failed(NamedTuple):
    """A failure that is repeated for a moment instead of the request."""

    at: float
    message: str
    hint: str | None


# Of the whole process, and inherited by forked children: every provider opens a cache of its own.
_unwrapped: dict[bytes, bytes] = {}
_failed: dict[bytes, _Failed] = {}
_turn = RLock()


class KmsRing:
    """The ring that a key management service opens.

    Args:
        place: Where the cache keeps its notes.
        environ: The environment, which a package gets to see.
        kms: The service, as ``LAKEKEY_KMS`` has it.
        cache_id: The cache's own id; empty for one whose ring was wrapped before there were any.
        pause: Seconds in which a service that has failed is not asked again for the same key.
    """

    name = "kms"

    def __init__(
        self, place: "KeyPlace", environ: Mapping[str, str], kms: str, cache_id: str = "", *, pause: float = _PAUSE
    ) -> None:
        self._place = place
        self._pause = pause
        self._path = place.note_place(NOTE)
        self._kms = kms
        self._cache_id = cache_id
        self._seen: bytes | None = None
        self._has_looked = self._has_written = False
        self._limit = bounded.time_limit(environ)
        self._service: KeyService = open_service(kms, environ)
        self.where = self._service.where

    def read(self) -> str | None:
        """See `KeySource.read`."""
        self._look()
        if self._seen is None:
            return None
        if is_newer(self._seen):
            raise KeyUnavailable(f"the key ring {self._path} was written by a later release of lakekey", hint=UPGRADE)
        records = records_in(self._seen)
        mine = next((record for record in records if self._is_mine(record)), None)
        if not records:
            raise self._unusable("it is damaged")
        if mine is None:
            raise KeyUnavailable(
                f"the key ring {self._path} belongs to another cache, or to another service than {self.where}",
                hint="restore this cache's own from a backup, or start over with an empty cache",
            )
        if mine.format == 1:  # the text itself, wrapped by the service
            return self._unwrap(mine.wrapped, "", self._text)
        return self._unwrap(mine.wrapped, self._context, lambda key: self._open(key, mine.sealed))

    def write(self, text: str) -> None:
        """See `OwnKeySource.write`. A ring that only loses keys keeps the key that wraps it.

        What is replaced is what this object has read or written last. Rings of other services, or of another first key
        that was made at the same time, are kept beside it until this object writes again: which of them is in force is
        said by ``cache.json`` alone, and may have been decided by another host since.

        Raises:
            ChangedElsewhere: The note is another by now.
        """
        if not self._has_looked:
            self._look()
        records = records_in(self._seen or b"")
        mine = next((record for record in records if self._is_mine(record)), None)
        kept = self._kept(mine, text) if mine is not None else None
        wrapped, key = kept or self._new_key()
        with LOADING:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        sealed = nonce + AESGCM(key).encrypt(nonce, text.encode(), self._context.encode())
        ours = Record(FORMAT, self._kms, self._cache_id, wrapped, sealed)
        others = [] if self._has_written else [record for record in records if record is not mine]
        content = to_bytes([ours, *others[:_MOST_OTHERS]])
        if not self._place.swap_note(NOTE, content, replaces=self._seen):
            raise ChangedElsewhere
        self._seen, self._has_written = content, True

    def erase(self) -> None:
        """See `OwnKeySource.erase`."""
        self._place.remove_note(NOTE)

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return self._unusable("it is gone")

    @property
    def _context(self) -> str:
        return f"lakekey ring v2 kms {self._cache_id}"

    def _look(self) -> None:
        try:
            self._seen = self._place.read_note(NOTE)
            self._has_looked = True
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise KeyUnavailable(
                f"the key ring {self._path} cannot be read: {reason}", hint=remedy(self._path, error)
            ) from None

    def _is_mine(self, record: Record) -> bool:
        return (record.kms, record.cache) == (self._kms, self._cache_id)

    def _kept(self, mine: Record, text: str) -> tuple[bytes, bytes] | None:
        """The wrapped and the plain key of the ring that is there, where all keys of the new ring are in it."""
        key = _unwrapped.get(self._memo(mine.wrapped, self._context))
        if mine.format != FORMAT or key is None or not {*text.split()} <= {*self._open(key, mine.sealed).split()}:
            return None
        return mine.wrapped, key

    def _new_key(self) -> tuple[bytes, bytes]:
        key = os.urandom(_KEY)
        wrapped = self._call(lambda: self._service.wrap(key, self._context))
        # Asked at once whether it opens again: a service that may wrap for us and not unwrap would cost the sessions.
        if self._call(lambda: self._service.unwrap(wrapped, self._context)) != key:
            raise KeyUnavailable(f"{self.where} did not give back the key that it was given", hint=_HINT)
        _unwrapped[self._memo(wrapped, self._context)] = key
        return wrapped, key

    def _unwrap(self, wrapped: bytes, context: str, opened: Callable[[bytes], str]) -> str:
        """Ask the service, once in the life of this process. A key that does not open is not kept: it asks again."""
        memo = self._memo(wrapped, context)
        with as_work(), _one_at_a_time(self._limit):  # what renews needs the key, too
            if memo in _unwrapped:
                return opened(_unwrapped[memo])
            failed = _failed.get(memo)
            if failed is not None and time.monotonic() - failed.at < self._pause:
                raise KeyUnavailable(failed.message, hint=failed.hint)
            try:
                key = self._call(lambda: self._service.unwrap(wrapped, context))
                text = opened(key)
            except KeyUnavailable as error:
                _failed[memo] = _Failed(time.monotonic(), error.message, error.hint)
                raise
            _failed.pop(memo, None)
            _unwrapped[memo] = key
            return text

    def _memo(self, wrapped: bytes, context: str) -> bytes:
        return hashlib.sha256(f"{self._kms}\0{context}\0".encode() + wrapped).digest()

    def _open(self, key: bytes, sealed: bytes) -> str:
        with LOADING:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], self._context.encode()).decode()
        except (InvalidTag, ValueError, TypeError):  # a package may return what is no key at all
            pass
        raise self._does_not_open()

    def _text(self, content: bytes) -> str:
        try:
            return bytes(content).decode()
        except (ValueError, TypeError):
            pass
        raise self._does_not_open()  # out here: the error of the decoding has the content

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return bounded.within(self._limit, call)
        except KmsTrouble as trouble:
            detail = f" ({trouble.detail})" if trouble.detail else ""
            message = f"the key ring is wrapped by {self.where}, {trouble.kind.value}{detail}"
            hint = trouble.hint or self._service.hints.get(trouble.kind) or _HINT
        except Exception as error:  # noqa: BLE001 - a foreign package may raise anything, and may quote anything
            message = f"the key management service {self.where} did not open the key ring ({type(error).__name__})"
            hint = _HINT
        raise KeyUnavailable(message, hint=hint)

    def _does_not_open(self) -> KeyUnavailable:
        error = self._unusable(
            f"it is damaged, or belongs to another cache, or {self.where} has answered with another key"
        )
        error.hint = f"try again in {self._pause:g} s; if it lasts, {error.hint}"
        return error

    def _unusable(self, reason: str) -> KeyUnavailable:
        return KeyUnavailable(
            f"the key ring {self._path} cannot be used: {reason}",
            hint="restore it from a backup, or start over with an empty cache",
        )


@contextmanager
def _one_at_a_time(limit: float) -> Iterator[None]:
    """One thread asks, the others find its result. The wait ends with the call's own limit.

    The lock lets its owner in again: code that interrupts the call may open a cache as well.
    """
    turn = _turn
    held = turn.acquire(timeout=limit + 1.0)
    try:
        yield
    finally:
        if held:
            turn.release()


def _new_turn() -> None:
    """In a forked child: a thread that stayed behind may have held it."""
    global _turn  # noqa: PLW0603 - one lock for the process
    _turn = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_turn)
