"""The intent to spend a refresh token, in a store that hosts share.

A lease cannot keep two hosts from sending one refresh token: a holder that was frozen past its lease sends when it
thaws, and the token endpoint knows nothing of leases. So before a refresh token is sent, the entry says durably that it
is being spent, by which host and since when. Of two holders the comparison of bytes lets one write its intent, and
only that one sends. The answer replaces exactly the intent's bytes.

Where an intent has no outcome, the server may or may not have consumed the token. Tokens that the server does not
rotate are simply sent again. A single-use one is left alone until its holder cannot be waiting for an answer any more,
or is known to have died on this machine (`lakekey.cache.stores.process_mark`);
then one process sends it once more, and says so in its own intent. Nothing else could still save the session: its
holder is dead or has no answer. `LAKEKEY_UNSETTLED=refuse` is for servers that punish reuse beyond the session.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lakekey._single_flight import Commitment
from lakekey.cache.entry import Entry
from lakekey.cache.stores import process_mark
from lakekey.cache.stores.lease import holder_here
from lakekey.errors import ConfigurationError

# Seconds after which the holder of an intent has its answer or none: the deadline of an exchange, and a margin.
OUTCOME_AFTER = 50.0
RESEND, REFUSE = "resend", "refuse"
VARIABLE = "LAKEKEY_UNSETTLED"


class LeaseLost(Exception):
    """The lease ended before anything was sent, so nothing was."""


class Intent(NamedTuple):
    """The intent to spend a refresh token.

    Attributes:
        nonce: Tells it from every other.
        holder: Who, for people.
        since: When, in epoch seconds (UTC); 0 where the holder has noted that no answer will come.
        digest: Which token: SHA-256, in hexadecimal.
        resent: Whether the token may have been sent by another holder before.
        mark: By which its machine can tell whether the holder has died; ``""`` if it has none.
    """

    nonce: str
    holder: str
    since: float
    digest: str
    resent: bool = False
    mark: str = ""

    @classmethod
    def to_spend(cls, refresh_token: str, *, resent: bool) -> "Intent":
        """A new intent of this process."""
        digest, mark = digest_of(refresh_token), process_mark.mark_here()
        return cls(os.urandom(16).hex(), holder_here(), time.time(), digest, resent, mark)

    @classmethod
    def in_entry(cls, entry: Entry) -> "Intent | None":
        """The intent to spend the entry's refresh token, if there is one."""
        if entry.spending is None:
            return None
        intent = cls(*entry.spending[: len(cls._fields)])
        return intent if intent.digest == digest_of(entry.refresh_token) else None

    @property
    def is_waited_for(self) -> bool:
        """Whether its holder may still get an answer."""
        return time.time() - self.since < OUTCOME_AFTER and not process_mark.is_dead(self.mark)

    @property
    def may_be_acted_on(self) -> bool:
        """Whether its holder may still begin to send: not after a standstill so long that others may do so soon."""
        return abs(time.time() - self.since) < OUTCOME_AFTER * 0.9

    @property
    def is_of_the_future(self) -> bool:
        """Whether a clock has stepped back since, so that nothing can be told by its time."""
        return self.since - time.time() > OUTCOME_AFTER


def digest_of(refresh_token: str) -> str:
    """The digest that stands for a token where the token itself has no business."""
    return hashlib.sha256(f"lakekey intent\0{refresh_token}".encode()).hexdigest()


def unsettled(environ: Mapping[str, str]) -> str:
    """What to do about a single-use token of which it is not known whether it was spent: `RESEND` or `REFUSE`.

    Raises:
        ConfigurationError: ``LAKEKEY_UNSETTLED`` is neither.
    """
    said = environ.get(VARIABLE, "").strip().lower() or RESEND
    if said not in (RESEND, REFUSE):
        raise ConfigurationError(f"{VARIABLE}={said!r} is invalid", hint=f"set it to {RESEND} or {REFUSE}")
    return said


class Guarded:
    """A commitment that is no longer made once the lease is gone.

    Args:
        commitment: The flight's.
        still_locked: Whether the lease is still ours.

    Attributes:
        sent: Whether a request was sent, or was about to be, of which it is not known what became.
        in_doubt: Whether one was sent of which it is not known whether the server has consumed the token.
    """

    def __init__(self, commitment: Commitment, still_locked: Callable[[], bool]) -> None:
        self._commitment = commitment
        self._still_locked = still_locked
        self.sent = False
        self.in_doubt = False

    def commit(self) -> None:
        """See `Commitment.commit`.

        Raises:
            LeaseLost: Another may have taken over meanwhile.
        """
        if not self._still_locked():
            raise LeaseLost
        self._commitment.commit()
        self.sent = True

    def answered(self, *, doubt: bool) -> None:
        """An attempt has failed.

        Args:
            doubt: Whether the server may have consumed the token, if anything was sent.
        """
        self.in_doubt |= self.sent and doubt
        self.sent = False

    def settled(self) -> None:
        """See `Commitment.settled`."""
        self._commitment.settled()

    def pause(self, seconds: float) -> None:
        """See `Commitment.pause`."""
        self._commitment.pause(seconds)
