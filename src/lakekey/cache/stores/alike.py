"""What the stores that hosts share do alike: asking again after a lost reply, the key's lease, the first findings."""

import contextlib
import itertools
import math
import random
import struct
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from lakekey import _log
from lakekey.cache.stores.findings import OK, WARNING, Finding
from lakekey.cache.stores.lease import Leases
from lakekey.cache.stores.store import Reading
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, LockTimeout, StoreUnavailable

#: After so many replies that were lost, one after the other, the store counts as away.
TRIES = 4
#: Seconds after which it is asked no third time: each reply may take as long as it is waited for, and none come.
LONG = 10.0

# What a library raises, beside errors of its own, for bytes that it cannot take apart. Not `Exception`: code of others
# that strikes meanwhile, a handler of signals for one, may raise what is none of the store's.
_NONSENSE: tuple[type[Exception], ...] = (
    ValueError, TypeError, LookupError, AttributeError, NameError, ArithmeticError, RecursionError, struct.error,
)  # fmt: skip

#: Bytes. What has more is not an entry (`lakekey.cache.entry` reads none): the server sends its beginning alone, and
#: compares by it, so that no reader waits for gigabytes. A beginning has no room for an envelope's header, and so is
#: damaged whatever it says. Of entries only: a note is read whole.
LONGEST, BEGINNING = (8 << 20) + 1024, 4

_KEY_LEASE = "changing-key"
_KEY_PATIENCE = 60.0  # seconds
_SLOW = 1.0  # seconds
_CLOCK = 30.0  # seconds
T = TypeVar("T")


def retried(ask: Callable[[], T]) -> T:
    """Ask again where the reply was lost: only what may be done twice.

    Raises:
        StoreUnavailable: It went on.
        CacheError: What else a try raises; each is ``in_doubt`` where it is not known of any try whether it was done.
    """
    arrived = time.monotonic()
    lost: StoreUnavailable | None = None
    for tried in range(TRIES):
        # A second try in any case: the process may have been stopped in the first one.
        if tried > 1 and time.monotonic() - arrived > LONG:
            break
        try:
            return ask()
        except CacheError as error:
            if (lost := _doubtful(error, lost)) is None:
                raise
    raise lost  # type: ignore[misc]  # each turn that does not return has set it


def _doubtful(error: CacheError, lost: StoreUnavailable | None) -> StoreUnavailable | None:
    """The error of a try whose reply was lost; ``None`` if it is another, which then has the doubt of earlier tries."""
    if isinstance(error, StoreUnavailable) and error.in_doubt:
        return error
    error.in_doubt |= lost is not None
    return None


class Unreadable(Exception):
    """A library could not take apart what a server has said. Its text has nothing of it, since that may be a secret."""


def spoken(speak: Callable[[], T], *more: type[Exception]) -> T:
    """Have a library speak with a server.

    Args:
        speak: Calls the library, and does as little else as it can: what fails in there by a fault of ours looks the
            same, and is told apart by a record at DEBUG alone.
        more: What else the library raises for bytes that it cannot take apart.

    Raises:
        Unreadable: The library raised what it raises for bytes that it cannot take apart.
    """
    try:
        return speak()
    except (*_NONSENSE, *more) as error:
        _log.debug("cache", "what a store says cannot be read: %s at %s", type(error).__name__, _place_of(error))
        reason = _unreadable(error)
    raise Unreadable(reason)  # outside the handler: the library's frames hold what was sent


def _unreadable(error: Exception) -> str:
    if isinstance(error, UnicodeError) and not isinstance(error, UnicodeDecodeError):
        return "its host has a name that cannot be looked up"
    return f"what it says cannot be read ({type(error).__name__})"


def _place_of(error: Exception) -> str:
    """File and line where it was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return "?" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"


def understood(where: str, read: Callable[[], T]) -> T:
    """What a reply says.

    Args:
        where: `Store.where`.
        read: Reads it, and raises what Python raises for values of another kind.

    Raises:
        CacheError: It is not a reply to what was asked: this is another program's server or table, or one that lies.
    """
    with contextlib.suppress(TypeError, ValueError, LookupError, AttributeError, OverflowError):
        return read()
    raise CacheError(
        f"the store {where} answers with something that lakekey has not put there",
        hint="see that its address leads to lakekey's own table or keys: lakekey store check",
    )


def bytes_of(value: object) -> bytes:
    """A value that has to be bytes.

    Raises:
        TypeError: It is of another kind. A number would make that many zeros.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError
    return bytes(value)


def reading_of(body: object, now: float) -> Reading:
    """An envelope, or ``None``, with the store's time in epoch seconds.

    Raises:
        TypeError, ValueError: They are something else.
    """
    if not math.isfinite(now):
        raise ValueError
    return Reading(None if body is None else bytes_of(body), now)


def page_of(names: list[str], after: str) -> list[str]:
    """A page of names, each behind the one before.

    Raises:
        ValueError: They are not in order, so that the pages might never end.
    """
    if any(later <= name for name, later in itertools.pairwise((after, *names))):
        raise ValueError
    return names


def settled(write: Callable[[], bool], look: Callable[[], bool | None]) -> bool:
    """Write, and where the reply was lost, look whether it was done.

    Args:
        write: Compares and writes. Returns whether it was done.
        look: Whether it was done, by what is there; ``None``: it was not, and may be tried again.

    Raises:
        StoreUnavailable: It went on.
        CacheError: What else a try raises; each is ``in_doubt`` where it is not known of any try whether it was done.
    """
    arrived = time.monotonic()
    lost: StoreUnavailable | None = None
    for tried in range(TRIES):
        if tried > 1 and time.monotonic() - arrived > LONG:
            break  # as for `retried`; what arrived after all has been looked for
        try:
            # A no may be of the first try's making: the server went on with it after we had looked.
            return write() or (lost is not None and look() is True)
        except CacheError as error:
            if (lost := _doubtful(error, lost)) is None:
                raise
        try:
            done = look()
        except CacheError as error:
            error.in_doubt = True  # of the write
            raise
        if done is not None:
            return done
    raise lost  # type: ignore[misc]  # each turn that does not return has set it


def obeyed(where: str, write: Callable[[], bool], look: Callable[[], bool | None]) -> bool:
    """As `settled`, and a no that nothing explains is not believed for ever: a caller would try again without end.

    Args:
        where: `Store.where`.
        write: See `settled`.
        look: See `settled`.

    Raises:
        CacheWriteFailed: What was to be replaced is there, and the store does not replace it.
    """
    for _ in range(TRIES):
        if settled(write, look):
            return True
        if look() is not None:
            return False
    raise disobeyed(where)


def disobeyed(where: str) -> CacheWriteFailed:
    """The error of a store that confirms a write and has done another one, or none."""
    return CacheWriteFailed(
        f"the store {where} changed or dropped a write, as a trigger, a rule or a policy on its table would",
        hint="run: lakekey store check",
    )


def patience_of(given: object, default: float) -> float:
    """How long an operation may try to connect, in seconds.

    Args:
        given: The address's ``connect_timeout``, or ``None``.
        default: What holds where the address has none.

    Raises:
        ConfigurationError: It is not a number of seconds.
    """
    try:
        seconds = default if given is None else float(str(given))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigurationError(
            "the address of the store (LAKEKEY_STORE) has a connect_timeout that is not a number of seconds",
            hint="write connect_timeout=10, or remove it",
        )
    return seconds


@contextlib.contextmanager
def changing_key(leases: Leases, where: str, *, patience: float = _KEY_PATIENCE) -> Iterator[None]:
    """See `KeyPlace.changing_key`.

    Args:
        leases: The store's.
        where: `Store.where`.
        patience: Seconds to wait.
    """
    until = time.monotonic() + patience
    while True:
        with leases.hold(_KEY_LEASE) as held:
            if held:
                yield
                return
        if time.monotonic() > until:
            raise LockTimeout(
                f"{leases.holder(_KEY_LEASE) or 'another process'} has been changing the key of the cache in {where} "
                f"for more than {patience:g} s",
                hint="wait for it, or end it",
            )
        time.sleep(random.uniform(0.05, 0.3))  # noqa: S311 - spreads the waiters, guards nothing


def reach_and_clock(where: str, now: Callable[[], float]) -> Iterator[Finding]:
    """How long the store takes to answer, and how far its clock is from this machine's.

    Args:
        where: The store's place, for people.
        now: Asks for the store's time, in epoch seconds.
    """
    began, here = time.monotonic(), time.time()
    there = now()
    took = time.monotonic() - began
    yield Finding("reach", OK if took < _SLOW else WARNING, f"{where}, {took * 1000:.0f} ms")
    ahead = there - (here + time.time()) / 2
    yield Finding("clock", OK if abs(ahead) < _CLOCK else WARNING, f"{ahead:+.1f} s against this machine's")
